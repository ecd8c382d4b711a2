# llama.cpp's own programs, linked against the very libraries the addon uses: what conformance tests compare with
# and benchmarks measure against. Nothing is built unless asked for by name.
foreach(tool llama-bench completion batched-bench quantize gguf-split)
  add_subdirectory("${LLAMA_CPP_DIR}/tools/${tool}" "tools/${tool}" EXCLUDE_FROM_ALL)
endforeach()
add_subdirectory("${LLAMA_CPP_DIR}/examples/embedding" "examples/embedding" EXCLUDE_FROM_ALL)

# llama-server needs image support and its web page, of which LLAMA_BUILD_UI and LLAMA_USE_PREBUILT_UI (both OFF in
# llama.cmake) leave an empty one, so nothing is downloaded.
function(add_server)
  # Their CMake files expect to be part of llama.cpp's own project.
  set(PROJECT_SOURCE_DIR "${LLAMA_CPP_DIR}")
  set(LLAMA_VERSION_BASE 0)
  set(LLAMA_VERSION_MAJOR 0)
  foreach(part mtmd ui server)
    add_subdirectory("${LLAMA_CPP_DIR}/tools/${part}" "tools/${part}" EXCLUDE_FROM_ALL)
  endforeach()
endfunction()
add_server()
