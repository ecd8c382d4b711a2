# Static objects of a library live until the process is gone; binding/keep_statics.cpp says why.
function(keep_statics target)
  if(MSVC OR APPLE)
    return()
  endif()
  target_sources(${target} PRIVATE "${CMAKE_SOURCE_DIR}/binding/keep_statics.cpp")
  target_link_options(${target} PRIVATE "LINKER:--wrap=__cxa_atexit")
endfunction()

if(APPLE) # whose linker wraps no symbols, and whose compiler is Clang
  add_compile_options($<$<COMPILE_LANGUAGE:CXX,OBJCXX>:-fno-c++-static-destructors>)
endif()
