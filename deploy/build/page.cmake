# cmake -Dprogram=... -Dflag=--man -Dpage=... -P page.cmake: what the program prints about itself.
execute_process(COMMAND ${program} ${flag} OUTPUT_VARIABLE text RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR text STREQUAL "")
    message(FATAL_ERROR "${program} ${flag} printed nothing (status ${status})")
endif()
if(flag STREQUAL "--man" AND NOT text MATCHES "^(\\.\\\\\"[^\n]*\n)*\\.TH ")
    message(FATAL_ERROR "${program} --man did not print a man page")
endif()
file(WRITE ${page} "${text}")
