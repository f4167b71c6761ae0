# Compiler and linker flags of everything that is ours. Asserts stay in every build type.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    # What one checkout compiled serves all others on the machine: no path of the checkout is in the result (-ffile-prefix-map).
    set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -fno-plt -D_FORTIFY_SOURCE=2 -fstack-protector-strong")
set(CMAKE_C_FLAGS_DEBUG "-Og -g")

add_compile_definitions(_GNU_SOURCE VIRGA_VERSION="${PROJECT_VERSION}")
add_compile_options(
    -Wall -Wextra -Wconversion -Wshadow -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 -Wno-format-zero-length
    -fno-omit-frame-pointer -fno-common "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

if(VIRGA_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # Sanitizers hide the ranges from which gcc judges truncation; the plain builds keep the warning.
    add_compile_options(-Wno-format-truncation)
endif()
if(VIRGA_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(VIRGA_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread)
    add_link_options(-fsanitize=thread)
elseif(VIRGA_SANITIZE STREQUAL "fuzz")
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "Fuzzing needs clang (libFuzzer)")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
else()
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
endif()
