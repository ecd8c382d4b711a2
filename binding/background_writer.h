// Writes a stream on a thread of its own, so that those who compute do not wait for the system, and has the
// system bring what was written to the disk meanwhile: flushing the file at its end is short then.
#pragma once

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <fcntl.h>
#include <unistd.h>
#endif

// Tells the system to begin with the writing of a range, where it can be told so without waiting.
class EarlyFlush {
 public:
  explicit EarlyFlush(const std::string& path) {
#ifdef __linux__
    file_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
#else
    static_cast<void>(path);
#endif
  }
  EarlyFlush(const EarlyFlush&) = delete;
  EarlyFlush& operator=(const EarlyFlush&) = delete;
#ifdef __linux__
  ~EarlyFlush() {
    if (file_ >= 0) close(file_);
  }
  // That it is refused, by a file system or a sandbox, changes nothing but the time that flushing takes.
  void Begin(int64_t offset, int64_t size) const {
    if (file_ >= 0) sync_file_range(file_, offset, size, SYNC_FILE_RANGE_WRITE);
  }

 private:
  int file_ = -1;
#else
  void Begin(int64_t, int64_t) const {}
#endif
};

// Between two calls of Drain, the stream belongs to the writer. Everything is called on one thread.
class BackgroundWriter {
 public:
  // Of the file that the stream writes to, at whose beginning it stands.
  BackgroundWriter(std::ostream& stream, const std::string& path) : stream_(stream), flush_(path) {
    piece_.reserve(piece_bytes);
    thread_ = std::thread([this] { Work(); });
  }
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;

  // What is not written yet is lost: somebody gave up, or had it drained.
  ~BackgroundWriter() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      waiting_.clear();
      is_closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // Takes a copy. Waits while much is not written yet. False once the system refused a write.
  bool Write(const char* data, size_t size) {
    for (size_t done = 0; done < size;) {
      const size_t count = std::min(size - done, piece_bytes - piece_.size());
      piece_.insert(piece_.end(), data + done, data + done + count);
      done += count;
      if (piece_.size() == piece_bytes && !Hand()) return false;
    }
    return true;
  }

  // Waits until all is written. False if the system refused it.
  bool Drain() {
    if (!piece_.empty() && !Hand()) return false;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return has_failed_ || (waiting_.empty() && !is_writing_); });
    return !has_failed_;
  }

  // Why the system refused (an errno; 0 if it does not say).
  int Error() const { return error_; }

 private:
  using Piece = std::vector<char>;

  // A piece is made while others are written.
  static constexpr size_t piece_bytes = 2 << 20;
  static constexpr size_t most_waiting = 4;

  bool Hand() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return has_failed_ || waiting_.size() < most_waiting; });
    if (has_failed_) return false;
    waiting_.push_back(std::move(piece_));
    piece_ = Piece();
    if (!spare_.empty()) {
      piece_ = std::move(spare_.back());
      spare_.pop_back();
    }
    piece_.clear();
    piece_.reserve(piece_bytes);
    changed_.notify_all();
    return true;
  }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return is_closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Piece piece = std::move(waiting_.front());
      waiting_.pop_front();
      is_writing_ = true;
      lock.unlock();
      const bool is_written = WriteNow(piece);
      lock.lock();
      is_writing_ = false;
      spare_.push_back(std::move(piece));
      if (!is_written) {
        has_failed_ = true;
        waiting_.clear();
      }
      changed_.notify_all();
    }
  }

  bool WriteNow(const Piece& piece) {
    errno = 0;
    try {
      stream_.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    } catch (const std::ostream::failure&) {
      // As its state says.
    }
    if (!stream_.good()) {
      error_ = errno;
      return false;
    }
    flush_.Begin(position_, static_cast<int64_t>(piece.size()));
    position_ += static_cast<int64_t>(piece.size());
    return true;
  }

  std::ostream& stream_;
  EarlyFlush flush_;
  Piece piece_;           // that of the caller
  int64_t position_ = 0;  // that of the thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> waiting_;
  std::vector<Piece> spare_;
  bool is_writing_ = false;
  bool is_closed_ = false;
  bool has_failed_ = false;
  int error_ = 0;  // before has_failed_
  std::thread thread_;
};
