# The few shapes that every folder's CMakeLists.txt is made of.

# virga_library(name SOURCES globs... [LINKS libraries...] [EXCLUDE regex] [EXTRA generated sources...])
# A static library of what the globs find, without main.c; without sources it is an INTERFACE library, so that others may link it already.
function(virga_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXCLUDE" "SOURCES;LINKS;EXTRA")
    list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    file(GLOB sources CONFIGURE_DEPENDS ${arg_SOURCES})
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(arg_EXCLUDE)
        list(FILTER sources EXCLUDE REGEX "${arg_EXCLUDE}")
    endif()
    list(APPEND sources ${arg_EXTRA})
    if(sources)
        add_library(${name} STATIC ${sources})
        target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
        target_link_libraries(${name} PUBLIC ${arg_LINKS})
    else()
        add_library(${name} INTERFACE)
        target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
        target_link_libraries(${name} INTERFACE ${arg_LINKS})
    endif()
endfunction()

# virga_page(program flag page): a target that keeps `page` as what the program prints for the flag.
function(virga_page program flag page)
    add_custom_command(OUTPUT ${page}
        COMMAND ${CMAKE_COMMAND} -Dprogram=$<TARGET_FILE:${program}> -Dflag=${flag} -Dpage=${page} -P ${PROJECT_SOURCE_DIR}/deploy/build/page.cmake
        DEPENDS ${program} ${PROJECT_SOURCE_DIR}/deploy/build/page.cmake VERBATIM COMMENT "${program} ${flag}")
    add_custom_target(${program}${flag} ALL DEPENDS ${page})
endfunction()

# virga_program(name directory section component LINKS libraries...)
# The program made of main.c in this folder, when there is one. It is installed into `directory`, with VIRGA_PAGES its man page into
# `section` too, and a daemon (section 8) with its unit and its example configuration.
function(virga_program name directory section component)
    cmake_parse_arguments(PARSE_ARGV 4 arg "" "" "LINKS")
    file(GLOB main CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
    if(NOT main OR VIRGA_SANITIZE STREQUAL "fuzz")
        return()
    endif()
    add_executable(${name} ${main})
    # Whole: two files of one library that define the same name are then an error, not a matter of luck.
    list(POP_FRONT arg_LINKS own)
    target_link_libraries(${name} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${own}> ${arg_LINKS})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
    install(TARGETS ${name} RUNTIME DESTINATION ${directory} COMPONENT ${component})
    install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/virga-${component} RENAME copyright
        COMPONENT ${component})
    set_property(GLOBAL APPEND PROPERTY VIRGA_COMPONENTS ${component})
    if(NOT VIRGA_PAGES)
        return()
    endif()
    set(page ${PROJECT_BINARY_DIR}/man/${name}.${section})
    virga_page(${name} --man ${page})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
    if(section EQUAL 8)
        set(example ${PROJECT_BINARY_DIR}/etc/${name}.conf)
        virga_page(${name} --example ${example})
        install(FILES ${example} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
        virga_install_service(${name} ${component} ${example})
    endif()
endfunction()

# Unit files name the place where the program was put, which is known only while installing. /etc/virga gets the example as its first
# configuration when all goes to /usr, as a package does; elsewhere the configuration is the operator's from the start.
function(virga_install_service name component example)
    install(CODE "
        set(sbin \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR}\")
        configure_file(${PROJECT_SOURCE_DIR}/deploy/systemd/${name}.service.in ${PROJECT_BINARY_DIR}/systemd/${name}.service @ONLY)
        if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\" AND NOT EXISTS \"\$ENV{DESTDIR}/etc/virga/${name}.conf\")
            file(INSTALL ${example} DESTINATION /etc/virga PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
        endif()" COMPONENT ${component})
    install(FILES ${PROJECT_BINARY_DIR}/systemd/${name}.service DESTINATION lib/systemd/system COMPONENT ${component})
endfunction()

# virga_each_program(suffix room LINKS libraries... [TEST label] [OPTIONS link options...])
# One executable per <room>/*<suffix>.c of this folder, named <room with dashes>-<stem>.
function(virga_each_program suffix room)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "TEST" "LINKS;OPTIONS")
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*${suffix}.c)
    foreach(source IN LISTS sources)
        get_filename_component(stem ${source} NAME_WE)
        set(target ${room}-${stem})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE ${arg_LINKS})
        target_link_options(${target} PRIVATE ${arg_OPTIONS})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${room} OUTPUT_NAME ${stem})
        if(arg_TEST)
            add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
            set_tests_properties(${target} PROPERTIES LABELS ${arg_TEST} TIMEOUT 60)
        endif()
    endforeach()
endfunction()
