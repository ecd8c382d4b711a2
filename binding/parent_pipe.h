// The pipe through which the process of an isolated engine answers. Messages of all threads go out whole, in
// the order in which they are given.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "message_writer.h"
#include "node_api.h"

class ParentPipe {
 public:
  // Takes the descriptor over, once in a process. Nothing happens where it cannot be written to from here (on
  // Windows, where a descriptor of Node.js means nothing to this library): JavaScript writes by itself then.
  static void Open(int descriptor);
  // Null before that.
  static ParentPipe* Get();

  // Any thread. Does not wait for the other process: what the pipe does not take at once, another thread
  // writes. `claim` is held until it is written.
  void Write(Message message, std::shared_ptr<void> claim);
  // Waits until it is written, so that who writes is held up by a process that does not read.
  void WriteAndWait(Message message);

 private:
  struct Outgoing {
    Message message;
    std::shared_ptr<void> claim;
    size_t written = 0;
  };

  explicit ParentPipe(int descriptor);
  bool Send(Outgoing& outgoing, bool wait);
  void Enqueue(Outgoing outgoing);  // under the lock
  void Drain();

  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Outgoing> waiting_;  // only Drain() takes out of it
};

// (Uint8Array[]) => boolean. Whether it was written: false where JavaScript has to do it by itself.
Napi::Value WriteToParent(const Napi::CallbackInfo& info);
