# SPDX-License-Identifier: Apache-2.0
# Run at build time: the manifest as the built icelock writes it, with the place where the host will be installed.
file(REMOVE ${ROOT}/${MANIFEST})
execute_process(COMMAND ${ICELOCK} setup --system --browser firefox --root ${ROOT}
  RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(failed)
  message(FATAL_ERROR "icelock setup: ${said}")
endif()
file(READ ${ROOT}/${MANIFEST} text)
string(REPLACE "\"${BUILT}\"" "\"${INSTALLED}\"" text "${text}")
if(NOT text MATCHES "\"${INSTALLED}\"")
  message(FATAL_ERROR "the manifest does not name ${BUILT}: ${text}")
endif()
file(WRITE ${ROOT}/${MANIFEST} "${text}")
