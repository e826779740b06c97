# Per-target options. Every target of ours is made by one of these functions, so
# that no target misses the warnings and nothing leaks into generated code.

function(gatehouse_options target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR}/generated)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough
    -Werror)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(${target} PRIVATE -Wthread-safety -Wthread-safety-beta
      -Wno-gnu-zero-variadic-macro-arguments)
  endif()
  gatehouse_sanitize(${target})
endfunction()

function(gatehouse_sanitize target)
  if(GATEHOUSE_SANITIZE)
    # Without vptr: its look at an object opens a pipe, and takes the object for wrong where the
    # process can open no more files, which is tested.
    target_compile_options(${target} PRIVATE -fsanitize=${GATEHOUSE_SANITIZE} -fno-sanitize=vptr
      -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${GATEHOUSE_SANITIZE})
  endif()
endfunction()

# gatehouse_library(name SOURCES ... DEPS ... [PRIVATE_DEPS ...])
function(gatehouse_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  gatehouse_options(${name})
endfunction()

# gatehouse_test(name SOURCES ... DEPS ...): one GoogleTest program, one ctest entry.
function(gatehouse_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  gatehouse_options(${name})
  target_compile_definitions(${name} PRIVATE
    GATEHOUSE_TESTDATA="${PROJECT_SOURCE_DIR}/tests/testdata")
  add_test(NAME ${name} COMMAND ${name})
  # Under a sanitizer some take ten times as long.
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
