// One way to run work off the JavaScript thread and settle a promise with its outcome.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "environment.h"
#include "errors.h"
#include "node_api.h"

// Accepts a task for another thread; false if it takes no more.
using Executor = std::function<bool(std::function<void()>)>;

inline Executor TaskExecutor(Napi::Env env) {
  TaskRunner* tasks = &Environment::Of(env).tasks;
  return [tasks](std::function<void()> task) {
    tasks->Post(std::move(task));
    return true;
  };
}

// Runs `work` (any thread, no JavaScript) and resolves with `convert(env, result)` (JS thread). A throw
// rejects.
template <typename Work, typename Convert>
Napi::Promise RunAsync(Napi::Env env, const Executor& executor, Work work, Convert convert,
                       const char* fallback_code = "INTERNAL") {
  using Result = decltype(work());
  struct Job {
    Job(Napi::Env job_env, Work job_work, Convert job_convert)
        : deferred(Napi::Promise::Deferred::New(job_env)),
          work(std::move(job_work)),
          convert(std::move(job_convert)) {}
    Napi::Promise::Deferred deferred;
    std::optional<Work> work;
    Convert convert;
    std::optional<Result> result;
    std::exception_ptr exception;
  };
  auto job = std::make_shared<Job>(env, std::move(work), std::move(convert));
  std::shared_ptr<JsQueue> queue = Environment::Of(env).queue;
  Napi::Promise promise = job->deferred.Promise();
  Napi::Promise::Deferred deferred = job->deferred;

  queue->Hold();
  // The job is moved along, so that its JavaScript references are always released on the JavaScript thread.
  const bool accepted = executor([job = std::move(job), queue, fallback_code]() mutable {
    try {
      job->result.emplace((*job->work)());
    } catch (...) {
      job->exception = std::current_exception();
    }
    job->work.reset();  // what it held is released on the thread that used it
    const std::weak_ptr<Job> posted = job;
    const bool delivered = queue->Post([job = std::move(job), queue, fallback_code](Napi::Env js_env) {
      queue->Release();
      try {
        if (job->exception) {
          job->deferred.Reject(MakeError(js_env, job->exception, fallback_code).Value());
        } else {
          job->deferred.Resolve(job->convert(js_env, *job->result));
        }
      } catch (...) {
        job->deferred.Reject(MakeError(js_env, std::current_exception(), fallback_code).Value());
      }
    });
    if (delivered) return;
    // Nobody waits for it any more. The job is kept for ever, but what it made may be a model.
    if (const std::shared_ptr<Job> undelivered = posted.lock()) undelivered->result.reset();
  });
  if (!accepted) {
    queue->Release();
    auto closed = std::make_exception_ptr(Failure("CLOSED", "The context was closed."));
    deferred.Reject(MakeError(env, closed).Value());
  }
  return promise;
}

// The converter of work without a result.
struct Nothing {};
inline Napi::Value ToUndefined(Napi::Env env, Nothing&) {
  return env.Undefined();
}
