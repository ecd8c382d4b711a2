#include "step_events.h"

namespace {

const char* ReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    default:
      return "failed";
  }
}

void WriteTokens(ValueWriter& writer, const std::vector<llama_token>& tokens) {
  writer.BeginArray(tokens.size());
  for (const llama_token token : tokens) writer.Number(token);
  writer.EndArray();
}

void WriteFinish(ValueWriter& writer, const GenerationEvent& event) {
  writer.BeginObject();
  writer.Set("reason", ReasonName(event.reason));
  writer.Set("stopString", event.stop_string);
  writer.Set("promptTokens", event.prompt_tokens);
  writer.Set("cachedTokens", event.cached_tokens);
  writer.Set("completionTokens", event.completion_tokens);
  writer.Set("decodeSteps", event.decode_steps);
  writer.Set("shifts", event.shifts);
  writer.Set("draftTokens", event.draft_tokens);
  writer.Set("acceptedDraftTokens", event.accepted_draft_tokens);
  writer.Set("residentTokens", event.resident_tokens);
  writer.Set("queueMs", event.queue_ms);
  writer.Set("promptMs", event.prompt_ms);
  writer.Set("firstTokenMs", event.first_token_ms);
  writer.Set("completionMs", event.completion_ms);
  writer.Set("totalMs", event.total_ms);
  if (event.error_code != nullptr) {
    writer.Set("errorCode", event.error_code);
    writer.Set("errorMessage", event.error_message);
  }
  writer.EndObject();
}

void SetLogProbability(ValueWriter& writer, const TokenLogProbability& entry) {
  writer.Set("token", entry.token);
  writer.Set("text", entry.text);
  writer.Set("logprob", entry.value);
}

void WriteLogProbabilities(ValueWriter& writer, const std::vector<TokenLogProbabilities>& entries) {
  writer.BeginArray(entries.size());
  for (const TokenLogProbabilities& entry : entries) {
    writer.BeginObject();
    SetLogProbability(writer, entry.chosen);
    writer.Key("top");
    writer.BeginArray(entry.top.size());
    for (const TokenLogProbability& alternative : entry.top) {
      writer.BeginObject();
      SetLogProbability(writer, alternative);
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
}

void WriteGeneration(ValueWriter& writer, const GenerationEvent& event) {
  writer.BeginObject();
  writer.Set("id", event.id);
  writer.Set("text", event.text);
  writer.Key("tokens");
  WriteTokens(writer, event.tokens);
  if (!event.log_probabilities.empty()) {
    writer.Key("logprobs");
    WriteLogProbabilities(writer, event.log_probabilities);
  }
  if (event.finished) {
    writer.Key("finish");
    WriteFinish(writer, event);
  }
  writer.EndObject();
}

void WriteLogitsRequest(ValueWriter& writer, const LogitsRequest& request) {
  writer.BeginObject();
  writer.Set("id", request.id);
  writer.Key("tokens");
  WriteTokens(writer, request.tokens);
  writer.Key("logits");
  writer.Floats(request.row);
  writer.EndObject();
}

void WriteEvicted(ValueWriter& writer, const EvictedSequence& evicted) {
  writer.BeginObject();
  writer.Set("sequence", evicted.sequence);
  writer.Set("key", evicted.key);
  if (evicted.state.bytes.size > 0) {
    writer.Key("state");
    writer.Bytes(evicted.state.bytes);
  }
  writer.EndObject();
}

void WriteSnapshot(ValueWriter& writer, const Snapshot& snapshot) {
  writer.BeginObject();
  writer.Set("id", snapshot.id);
  writer.Set("position", snapshot.position);
  writer.Key("state");
  writer.Bytes(snapshot.state.bytes);
  writer.EndObject();
}

void WriteUnrestored(ValueWriter& writer, const UnrestoredState& unrestored) {
  writer.BeginObject();
  writer.Set("id", unrestored.id);
  writer.Key("invalid");
  writer.Boolean(unrestored.invalid);
  writer.EndObject();
}

template <typename Entry>
void SetList(ValueWriter& writer, const char* name, const std::vector<Entry>& entries,
             void (*write)(ValueWriter&, const Entry&)) {
  writer.Key(name);
  writer.BeginArray(entries.size());
  for (const Entry& entry : entries) write(writer, entry);
  writer.EndArray();
}

}  // namespace

void WriteEvents(ValueWriter& writer, const StepEvents& events) {
  writer.BeginObject();
  SetList(writer, "generations", events.generations, WriteGeneration);
  if (!events.logits.empty()) SetList(writer, "logits", events.logits, WriteLogitsRequest);
  if (!events.evicted.empty()) SetList(writer, "evicted", events.evicted, WriteEvicted);
  if (!events.snapshots.empty()) SetList(writer, "snapshots", events.snapshots, WriteSnapshot);
  if (!events.unrestored.empty()) SetList(writer, "unrestored", events.unrestored, WriteUnrestored);
  writer.EndObject();
}
