# Adds vendor/llama.cpp: ggml (one static library, or loadable backends), llama and llama-common.

set(LLAMA_CPP_DIR "${CMAKE_CURRENT_SOURCE_DIR}/vendor/llama.cpp")

if(LLAMA_NATIVE_CUDA)
  set(LLAMA_NATIVE_PORTABLE ON)
endif()

if(LLAMA_NATIVE_SANITIZE_ADDRESS)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=address,undefined)
elseif(LLAMA_NATIVE_SANITIZE_THREAD)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -g)
  # Node exports what it instantiated of the standard library, such as the counting of std::shared_ptr. Without
  # -Bsymbolic the addon would call that, which is not instrumented, and each shared object would look like a race.
  add_link_options(-fsanitize=thread LINKER:-Bsymbolic)
endif()

# The vendored tree carries no git metadata, so its version is given.
set(LLAMA_BUILD_NUMBER 0)
set(LLAMA_BUILD_COMMIT 7fe450e1)
set(LLAMA_BUILD_IS_DEV OFF CACHE BOOL "" FORCE)

# Only libraries; Node does HTTPS and child processes better.
set(LLAMA_BUILD_COMMON ON CACHE BOOL "" FORCE)
foreach(unused LLAMA_BUILD_TESTS LLAMA_BUILD_TOOLS LLAMA_BUILD_EXAMPLES LLAMA_BUILD_SERVER LLAMA_BUILD_APP
               LLAMA_BUILD_UI LLAMA_USE_PREBUILT_UI LLAMA_OPENSSL LLAMA_SUBPROCESS LLAMA_TOOLS_INSTALL)
  set(${unused} OFF CACHE BOOL "" FORCE)
endforeach()

# Without OpenMP the addon does not depend on libgomp, which a bare machine may lack.
set(GGML_OPENMP OFF CACHE BOOL "")
set(GGML_METAL_EMBED_LIBRARY ON CACHE BOOL "")
set(GGML_CCACHE OFF CACHE BOOL "" FORCE) # set by us, with relative paths

if(LLAMA_NATIVE_PORTABLE)
  set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
  set(GGML_BACKEND_DL ON CACHE BOOL "" FORCE)
  set(BUILD_SHARED_LIBS ON)
  set(GGML_CPU_ALL_VARIANTS ON CACHE BOOL "" FORCE)
  # Several libraries in one process share files and memory, so they must share one C runtime (cmake-js asks for a
  # static one, a copy in each).
  set(CMAKE_MSVC_RUNTIME_LIBRARY MultiThreadedDLL)
else()
  set(BUILD_SHARED_LIBS OFF)
endif()

if(LLAMA_NATIVE_CUDA)
  set(GGML_CUDA ON CACHE BOOL "" FORCE)
  set(GGML_CUDA_NCCL OFF CACHE BOOL "")  # one process, seldom more than one card: not worth a dependency
  set(GGML_CUDA_NO_VMM ON CACHE BOOL "") # otherwise the library links libcuda and fails to load without a driver
endif()

# ggml first, by itself: it may be shared (loadable backends need that) while llama and llama-common are linked
# into the addon. Then a program that also loads another binding of llama.cpp shares no symbol of ours.
# ggml would ask git for its commit and get ours, so every commit would compile it again: let it find no git.
set(GIT_EXE "" CACHE FILEPATH "" FORCE)
set(GGML_BUILD_NUMBER ${LLAMA_BUILD_NUMBER})
set(GGML_BUILD_COMMIT ${LLAMA_BUILD_COMMIT})
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
add_subdirectory("${LLAMA_CPP_DIR}/ggml" vendor/ggml EXCLUDE_FROM_ALL)
set(BUILD_SHARED_LIBS OFF)
add_subdirectory("${LLAMA_CPP_DIR}" vendor/llama.cpp EXCLUDE_FROM_ALL)

# See the headers: the engines of chat templates and of grammars get limits, and so do saved states; a quantization can be
# watched and stopped.
function(include_first target source header)
  set(path "${CMAKE_CURRENT_SOURCE_DIR}/cmake/${header}")
  if(MSVC)
    set(option "/FI${path}")
  else()
    set(option -include "${path}")
  endif()
  set_source_files_properties("${LLAMA_CPP_DIR}/${source}" TARGET_DIRECTORY ${target}
    PROPERTIES COMPILE_OPTIONS "${option}" OBJECT_DEPENDS "${path}")
endfunction()

foreach(source runtime value string)
  include_first(llama-common common/jinja/${source}.cpp template-budget.h)
endforeach()
set_source_files_properties("${LLAMA_CPP_DIR}/common/jinja/value.cpp" TARGET_DIRECTORY llama-common
  PROPERTIES COMPILE_DEFINITIONS LLAMA_NATIVE_BUDGET_OF_VALUES)
include_first(llama src/llama-grammar.cpp grammar-budget.h)
include_first(llama src/llama-kv-cache.cpp state-limit.h)
include_first(llama src/llama-memory-recurrent.cpp state-limit.h)
include_first(llama src/llama-quant.cpp quantization-job.h)
include_first(llama src/llama-model-loader.cpp quantization-input.h)

# Lists every target declared in a directory and below it.
function(collect_targets directory result)
  get_property(targets DIRECTORY "${directory}" PROPERTY BUILDSYSTEM_TARGETS)
  get_property(children DIRECTORY "${directory}" PROPERTY SUBDIRECTORIES)
  foreach(child IN LISTS children)
    collect_targets("${child}" child_targets)
    list(APPEND targets ${child_targets})
  endforeach()
  set(${result} "${targets}" PARENT_SCOPE)
endfunction()

collect_targets("${LLAMA_CPP_DIR}/ggml" ggml_targets)

# See the header: a compiler bug that makes ggml's AMX code crash.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(version ${CMAKE_CXX_COMPILER_VERSION})
  if(version VERSION_LESS 11.5 OR (version VERSION_GREATER_EQUAL 12 AND version VERSION_LESS 12.4)
     OR (version VERSION_GREATER_EQUAL 13 AND version VERSION_LESS 13.3))
    foreach(target IN LISTS ggml_targets)
      if(target MATCHES "^ggml-cpu(-sapphirerapids)?$")
        target_compile_options(${target} PRIVATE "SHELL:-include \"${CMAKE_CURRENT_SOURCE_DIR}/cmake/gcc-tile-loadconfig.h\"")
      endif()
    endforeach()
  endif()
  # With AVX512-FP16, which -march=native turns on where the processor has it, GCC's code for half-precision scales
  # costs a third of the decoding speed (measured with GCC 12.2: 265 tokens/s without it, 185 with, Q4_1).
  if(NOT LLAMA_NATIVE_PORTABLE AND version VERSION_GREATER_EQUAL 12)
    target_compile_options(ggml-cpu PRIVATE -mno-avx512fp16)
  endif()
endif()

if(LLAMA_NATIVE_PORTABLE)
  # npm drops symbolic links, so each library is one real file without a version in its name, found beside the
  # addon. The two shared cores get a name of their own: the dynamic linker reuses a library of the same name that
  # some other package in the process has loaded, whatever its version.
  set(LLAMA_NATIVE_LIBRARIES "")
  foreach(target IN LISTS ggml_targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "SHARED_LIBRARY" OR type STREQUAL "MODULE_LIBRARY")
      set_property(TARGET ${target} PROPERTY VERSION)
      set_property(TARGET ${target} PROPERTY SOVERSION)
      list(APPEND LLAMA_NATIVE_LIBRARIES ${target})
    endif()
  endforeach()
  set_target_properties(ggml-base PROPERTIES OUTPUT_NAME llama-native-ggml-base)
  set_target_properties(ggml PROPERTIES OUTPUT_NAME llama-native-ggml)
endif()
