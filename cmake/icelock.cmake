# SPDX-License-Identifier: Apache-2.0
# One function for each thing the tree has many of: a library per folder, and a test binary per library.

find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)

find_program(ICELOCK_CCACHE ccache)
if(ICELOCK_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${ICELOCK_CCACHE}")
endif()

add_library(icelock_options INTERFACE)
target_compile_features(icelock_options INTERFACE cxx_std_23)
target_compile_options(icelock_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  # g++ 12 sees overlapping copies in operator+ of std::string at -O2 and above (GCC bug 105651).
  # It also takes the value of an empty std::optional for one that is read (GCC bug 80635).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized>
  $<$<BOOL:${ICELOCK_WERROR}>:-Werror>)
target_include_directories(icelock_options INTERFACE "${PROJECT_SOURCE_DIR}/host")
if(ICELOCK_SANITIZE)
  # Not vptr: it tests whether memory can be read by opening a pipe, and so finds faults in a test
  # that runs out of descriptors on purpose.
  target_compile_options(icelock_options INTERFACE -fsanitize=${ICELOCK_SANITIZE}
    -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(icelock_options INTERFACE -fsanitize=${ICELOCK_SANITIZE})
  # Several files at once, in half the time. Names of different files meet then, so the warnings about that are the
  # dev preset's, as is the proof that each file includes what it uses.
  set(CMAKE_UNITY_BUILD ON)
  target_compile_options(icelock_options INTERFACE -Wno-shadow -Wno-subobject-linkage)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# icelock_library(<folder> SOURCES a.cpp... [DEPENDS base...] [PRIVATE pkg::target...])
# DEPENDS names other folders; a folder that is not named cannot be linked, and the include check in
# tests/style holds the same table against the #include lines.
function(icelock_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(icelock_${name} STATIC ${arg_SOURCES})
  target_link_libraries(icelock_${name} PRIVATE icelock_options ${arg_PRIVATE})
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(icelock_${name} PUBLIC icelock_${dependency})
  endforeach()
endfunction()

# icelock_program(<name> SOURCES a.cpp... DEPENDS app... [PRIVATE pkg::target...])
# Shared C++ libraries cost a short program a third of its start-up; sanitizers want them shared.
function(icelock_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE icelock_options ${arg_PRIVATE})
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(${name} PRIVATE icelock_${dependency})
  endforeach()
  target_compile_definitions(${name} PRIVATE ICELOCK_VERSION="${PROJECT_VERSION}")
  if(NOT ICELOCK_SANITIZE)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()

# icelock_test(<library> SOURCES a_test.cpp... [PRIVATE pkg::target...])
# One test binary per library that links that library alone, so the linker proves the layering.
function(icelock_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;PRIVATE" ${ARGN})
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE icelock_options icelock_${name} GTest::gmock_main
    ${arg_PRIVATE})
  target_compile_definitions(${name}_test PRIVATE
    ICELOCK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name}_test TEST_PREFIX "unit.${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 120)
endfunction()
