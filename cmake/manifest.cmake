# SPDX-License-Identifier: Apache-2.0
# Run at build time: the manifest as the built icelock writes it, with the place where the host will be installed.
# Written as for a user: that asks less of the folder it works in, which here is anybody's build folder.
set(home ${OUTPUT}.home)
file(REMOVE_RECURSE ${home})
file(MAKE_DIRECTORY ${home})
execute_process(COMMAND ${CMAKE_COMMAND} -E env HOME=${home} ${ICELOCK} setup --user --browser firefox
  RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(failed)
  message(FATAL_ERROR "icelock setup: ${said}")
endif()
file(READ ${home}/.mozilla/native-messaging-hosts/icelock.host.json text)
file(REMOVE_RECURSE ${home})
string(REPLACE "\"${BUILT}\"" "\"${INSTALLED}\"" text "${text}")
if(NOT text MATCHES "\"${INSTALLED}\"")
  message(FATAL_ERROR "the manifest does not name ${BUILT}: ${text}")
endif()
file(WRITE ${OUTPUT} "${text}")
