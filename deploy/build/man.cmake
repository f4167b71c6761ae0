# cmake -Dprogram=... -Dpage=... -P man.cmake: the page that the program prints about itself.
execute_process(COMMAND ${program} --man OUTPUT_VARIABLE text RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT text MATCHES "^(\\.\\\\\"[^\n]*\n)*\\.TH ")
    message(FATAL_ERROR "${program} --man did not print a man page (status ${status})")
endif()
file(WRITE ${page} "${text}")
