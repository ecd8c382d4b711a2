# The addon itself. cmake-js passes Node's headers in CMAKE_JS_INC; node-addon-api's directory comes the same way.

file(GLOB BINDING_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/binding/*.cpp")

# As a generator expression, because Visual Studio's generators add the configuration's name to a plain path.
set(ADDON_OUTPUT_DIRECTORY "$<1:${CMAKE_BINARY_DIR}/Release>")

add_library(llama_native SHARED ${BINDING_SOURCES} ${CMAKE_JS_SRC})
set_target_properties(llama_native PROPERTIES
  PREFIX "" SUFFIX ".node"
  LIBRARY_OUTPUT_DIRECTORY "${ADDON_OUTPUT_DIRECTORY}"
  RUNTIME_OUTPUT_DIRECTORY "${ADDON_OUTPUT_DIRECTORY}")

# Warnings in llama.cpp's headers are not ours to mend.
foreach(library llama llama-common llama-common-base ggml ggml-base)
  get_target_property(directories ${library} INTERFACE_INCLUDE_DIRECTORIES)
  if(directories)
    set_property(TARGET ${library} PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${directories})
  endif()
endforeach()
target_include_directories(llama_native SYSTEM PRIVATE ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
target_compile_definitions(llama_native PRIVATE NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS
                                                # In an environment that is being torn down every call fails; nobody is left to catch.
                                                NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
                                                NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS=0)
target_link_libraries(llama_native PRIVATE llama llama-common ${CMAKE_JS_LIB})

if(MSVC)
  target_compile_options(llama_native PRIVATE /W4 /utf-8)
else()
  target_compile_options(llama_native PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
endif()
# Products are rounded before they are added up, so that the bytes of a conversion are the same everywhere; floats that
# are compared may be compared several at once.
if(NOT MSVC)
  set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/binding/number_formats.cpp" PROPERTIES
                              COMPILE_OPTIONS "-ffp-contract=off;-fno-trapping-math")
endif()
if(APPLE)
  target_link_options(llama_native PRIVATE "LINKER:-undefined,dynamic_lookup" "LINKER:-dead_strip")
elseif(NOT MSVC)
  # Symbols of the static libraries stay inside: another llama.cpp in the process must neither use nor replace them.
  target_link_options(llama_native PRIVATE "LINKER:--exclude-libs,ALL" "LINKER:--gc-sections" "LINKER:-z,now"
                                           # Node unloads an addon with the last worker that used it, while threads
                                           # of ours may still be returning from its code.
                                           "LINKER:-z,nodelete")
endif()

keep_statics(llama_native)

# Libraries are found beside the one that needs them, and the paths of the building machine stay out of them.
set(LIBRARY_RPATH "$ORIGIN")
if(APPLE)
  set(LIBRARY_RPATH "@loader_path")
endif()
set_target_properties(llama_native ${LLAMA_NATIVE_LIBRARIES} PROPERTIES
  BUILD_WITH_INSTALL_RPATH ON
  INSTALL_RPATH "${LIBRARY_RPATH}")

if(LLAMA_NATIVE_CUDA)
  # Except that of the CUDA toolkit, because a library compiled with CUDA is used on the machine that compiled it.
  # INSTALL_RPATH_USE_LINK_PATH would leave out a toolkit that lies inside the checkout.
  find_package(CUDAToolkit REQUIRED)
  set_property(TARGET ggml-cuda APPEND PROPERTY INSTALL_RPATH "${CUDAToolkit_LIBRARY_DIR}")
endif()

if(LLAMA_NATIVE_PORTABLE)
  # Put the libraries where the addon looks for them: beside itself.
  foreach(library IN LISTS LLAMA_NATIVE_LIBRARIES)
    set_target_properties(${library} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY "${ADDON_OUTPUT_DIRECTORY}"
      RUNTIME_OUTPUT_DIRECTORY "${ADDON_OUTPUT_DIRECTORY}")
    add_dependencies(llama_native ${library})
    keep_statics(${library})
  endforeach()
endif()

if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET}
                          ${CMAKE_STATIC_LINKER_FLAGS})
endif()
