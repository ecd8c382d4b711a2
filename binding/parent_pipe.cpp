#include "parent_pipe.h"

#include <cerrno>
#include <cstdlib>
#include <thread>
#include <utility>

#include "arguments.h"

#if !defined(_WIN32)
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#endif

namespace {

ParentPipe* opened = nullptr;  // kept until the process ends: its threads do not end before

// Smaller pieces are put together, which costs less than a part of its own.
constexpr size_t copied_length = size_t{64} << 10;

}  // namespace

ParentPipe* ParentPipe::Get() {
  return opened;
}

#if defined(_WIN32)

void ParentPipe::Open(int) {}
ParentPipe::ParentPipe(int descriptor) : descriptor_(descriptor) {}
bool ParentPipe::Send(Outgoing&, bool) {
  return true;
}

#else

namespace {

// Node.js itself ignores SIGPIPE; macOS has no such flag.
#if defined(MSG_NOSIGNAL)
constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int send_flags = MSG_DONTWAIT;
#endif

// What is left of a message after `written` bytes.
std::vector<iovec> Rest(const Message& message, size_t written) {
  std::vector<iovec> parts;
  const auto add = [&](const void* data, size_t size) {
    const size_t skipped = std::min(written, size);
    written -= skipped;
    if (skipped == size) return;
    auto* begin = const_cast<uint8_t*>(static_cast<const uint8_t*>(data)) + skipped;
    parts.push_back({begin, size - skipped});
  };
  add(message.head.data(), message.head.size());
  for (const StateBytes& attachment : message.attachments) add(attachment.data.get(), attachment.size);
  return parts;
}

constexpr size_t most_parts = 64;  // of one call; every system takes more

}  // namespace

void ParentPipe::Open(int descriptor) {
  int type = 0;
  socklen_t length = sizeof(type);
  // libuv makes sockets of what it calls pipes.
  if (opened != nullptr || getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return;
  opened = new ParentPipe(descriptor);
}

ParentPipe::ParentPipe(int descriptor) : descriptor_(descriptor) {
  std::thread([this] { Drain(); }).detach();
}

// Whether all of it is written now. Without a reader, there is nothing this process is good for.
bool ParentPipe::Send(Outgoing& outgoing, bool wait) {
  while (true) {
    std::vector<iovec> parts = Rest(outgoing.message, outgoing.written);
    if (parts.empty()) return true;
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = static_cast<decltype(header.msg_iovlen)>(std::min(parts.size(), most_parts));
    const ssize_t sent = sendmsg(descriptor_, &header, send_flags);
    if (sent >= 0) {
      outgoing.written += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait) return false;
      pollfd writable{descriptor_, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      _exit(1);
    }
  }
}

#endif

void ParentPipe::Enqueue(Outgoing outgoing) {
  waiting_.push_back(std::move(outgoing));
  changed_.notify_all();
}

void ParentPipe::Write(Message message, std::shared_ptr<void> claim) {
  Outgoing outgoing{std::move(message), std::move(claim)};
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!waiting_.empty() || !Send(outgoing, false)) Enqueue(std::move(outgoing));
}

void ParentPipe::WriteAndWait(Message message) {
  Outgoing outgoing{std::move(message), nullptr};
  std::unique_lock<std::mutex> lock(mutex_);
  if (waiting_.empty() && Send(outgoing, false)) return;
  Enqueue(std::move(outgoing));
  changed_.wait(lock, [this] { return waiting_.empty(); });
}

void ParentPipe::Drain() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !waiting_.empty(); });
    Outgoing& first = waiting_.front();  // stays where it is while others are added behind it
    lock.unlock();
    Send(first, true);
    lock.lock();
    waiting_.pop_front();
    if (waiting_.empty()) changed_.notify_all();
  }
}

Napi::Value WriteToParent(const Napi::CallbackInfo& info) {
  ParentPipe* pipe = ParentPipe::Get();
  if (pipe == nullptr) return Napi::Boolean::New(info.Env(), false);
  const auto pieces = info[0].As<Napi::Array>();
  Message message;
  for (uint32_t i = 0; i < pieces.Length(); i++) {
    const StateBytes piece = PinBytes(pieces.Get(i));
    const bool small = message.attachments.empty() && piece.size < copied_length;
    if (small) message.head.append(reinterpret_cast<const char*>(piece.data.get()), piece.size);
    if (!small) message.attachments.push_back(piece);
  }
  pipe->WriteAndWait(std::move(message));
  return Napi::Boolean::New(info.Env(), true);
}
