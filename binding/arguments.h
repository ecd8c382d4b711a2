// Reading options from JavaScript. The TypeScript side validates with good messages; here only what would
// harm memory is refused, since the addon can be called by other code too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "errors.h"
#include "llama.h"
#include "node_api.h"

std::string ReadString(const Napi::Value& value, const char* name);
bool ReadBool(const Napi::Value& value, bool fallback);
int32_t ReadInteger(const Napi::Value& value, const char* name, int64_t lowest, int64_t highest);
float ReadFloat(const Napi::Value& value, const char* name, double lowest, double highest);
std::vector<llama_token> ReadTokens(const Napi::Value& value);
std::vector<std::string> ReadStrings(const Napi::Value& value, const char* name);

// As above for an option that may be left out.
int32_t ReadInteger(const Napi::Object& options, const char* name, int32_t fallback, int64_t lowest,
                    int64_t highest);
float ReadFloat(const Napi::Object& options, const char* name, float fallback, double lowest, double highest);
int64_t ReadLength(const Napi::Object& options, const char* name, int64_t fallback);  // in bytes
std::string ReadString(const Napi::Object& options, const char* name, const std::string& fallback);

Napi::Int32Array TokensToArray(Napi::Env env, const std::vector<llama_token>& tokens);
