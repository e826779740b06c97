#pragma once

namespace gatehouse::frontend {

// What a completion queue's thread is told about: every tag on a queue is one.
class QueueEvent {
 public:
  QueueEvent() = default;
  QueueEvent(const QueueEvent&) = delete;
  QueueEvent& operator=(const QueueEvent&) = delete;
  virtual ~QueueEvent() = default;

  // On the queue's thread. `ok` as CompletionQueue::Next says it.
  virtual void OnEvent(bool ok) = 0;

  // For gRPC. Not `this` of a derived class, which may lie elsewhere.
  void* tag() { return this; }

  static QueueEvent& FromTag(void* tag) { return *static_cast<QueueEvent*>(tag); }
};

}  // namespace gatehouse::frontend
