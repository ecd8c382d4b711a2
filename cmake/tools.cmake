# llama.cpp's own programs, linked against the very libraries the addon uses: what conformance tests compare with
# and benchmarks measure against. Nothing is built unless asked for by name.
foreach(tool llama-bench completion batched-bench quantize)
  add_subdirectory("${LLAMA_CPP_DIR}/tools/${tool}" "tools/${tool}" EXCLUDE_FROM_ALL)
endforeach()
