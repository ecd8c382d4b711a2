#include "cpu_threads.h"

#include <atomic>

struct CpuThreads::Work {
  std::atomic<int32_t> next{0};
  int32_t count = 0;
  const std::function<void(int32_t)>* call = nullptr;

  static void Compute(ggml_tensor*, int, int, void* data) {
    auto* work = static_cast<Work*>(data);
    for (int32_t i = work->next++; i < work->count; i = work->next++) (*work->call)(i);
  }
};

namespace {

template <typename Function>
Function* Find(ggml_backend_reg_t registry, const char* name) {
  return reinterpret_cast<Function*>(ggml_backend_reg_get_proc_address(registry, name));
}

// How long threads wait for the next graph before they sleep: a few milliseconds, enough from one step to the
// next. By default (50) it is a tenth of a second, in which JavaScript and its neighbours lack the processors
// of a loop that has nothing to do.
constexpr uint32_t short_poll = 1;

}  // namespace

CpuThreads::CpuThreads(int32_t count)
    : count_(count),
      registry_(ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU))),
      work_(std::make_unique<Work>()) {
  auto* create = Find<decltype(ggml_threadpool_new)>(registry_, "ggml_threadpool_new");
  ggml_threadpool_params params = ggml_threadpool_params_default(count);
  params.poll = short_poll;
  pool_ = create != nullptr ? create(&params) : nullptr;
  if (pool_ != nullptr && count > 1) CreateGraph();
}

CpuThreads::~CpuThreads() {
  backend_.reset();
  if (pool_ != nullptr) Find<decltype(ggml_threadpool_free)>(registry_, "ggml_threadpool_free")(pool_);
}

void CpuThreads::CreateGraph() {
  using SetPool = void(ggml_backend_t, ggml_threadpool_t);
  auto* set_pool = Find<SetPool>(registry_, "ggml_backend_cpu_set_threadpool");
  auto* set_count = Find<void(ggml_backend_t, int)>(registry_, "ggml_backend_set_n_threads");
  if (set_pool == nullptr || set_count == nullptr) return;
  backend_.reset(ggml_backend_dev_init(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), nullptr));
  if (!backend_) return;
  set_pool(backend_.get(), pool_);
  set_count(backend_.get(), count_);

  constexpr size_t nodes = 1;
  const size_t size = ggml_tensor_overhead() * nodes + ggml_graph_overhead_custom(nodes, false);
  tensors_.reset(ggml_init({size, nullptr, true}));
  ggml_tensor* node = ggml_custom_4d(tensors_.get(), GGML_TYPE_F32, 1, 1, 1, 1, nullptr, 0, Work::Compute,
                                     GGML_N_TASKS_MAX, work_.get());
  graph_ = ggml_new_graph_custom(tensors_.get(), nodes, false);
  ggml_build_forward_expand(graph_, node);
  buffer_.reset(ggml_backend_alloc_ctx_tensors(tensors_.get(), backend_.get()));
  if (!buffer_) graph_ = nullptr;
}

void CpuThreads::Run(int32_t count, const std::function<void(int32_t)>& work) {
  if (graph_ == nullptr || count < 2) {
    for (int32_t i = 0; i < count; i++) work(i);
    return;
  }
  work_->next = 0;
  work_->count = count;
  work_->call = &work;
  ggml_backend_graph_compute(backend_.get(), graph_);
  // Whatever was left, should the graph have failed.
  for (int32_t i = work_->next++; i < count; i = work_->next++) work(i);
}
