# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, and the Debian package made of the same rules (`cpack -G DEB`).

include(GNUInstallDirs)
# Packing takes what was built and builds no tests for it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
find_program(ICELOCK_GZIP gzip REQUIRED)
set(installer ${PROJECT_SOURCE_DIR}/installer)
set(generated ${PROJECT_BINARY_DIR}/installed)
# Whatever the umask of the one who builds is.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# icelock_install_gzipped(<file> <folder> [<name>]): without a time in it, so that two builds agree.
function(icelock_install_gzipped file folder)
  get_filename_component(name ${file} NAME)
  if(ARGC GREATER 2)
    set(name ${ARGV2})
  endif()
  set(output ${generated}/${folder}/${name}.gz)
  add_custom_command(OUTPUT ${output} DEPENDS ${file} VERBATIM
    COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}/${folder}
    COMMAND sh -c "exec \"$0\" -9nc \"$1\" >\"$2\"" ${ICELOCK_GZIP} ${file} ${output})
  set_property(GLOBAL APPEND PROPERTY icelock_generated ${output})
  install(FILES ${output} DESTINATION ${folder})
endfunction()

# icelock looks for icelock-host in its own folder, so both are in one.
install(TARGETS icelock icelock-host RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# What icelock runs and nobody calls by hand (host/app/helper.h).
install(TARGETS icelock-check icelock-gather RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/icelock)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/extension DESTINATION ${CMAKE_INSTALL_DATADIR}/icelock)
install(FILES ${PROJECT_SOURCE_DIR}/policies/settings.schema.json
  ${PROJECT_SOURCE_DIR}/policies/user-settings.schema.json ${PROJECT_SOURCE_DIR}/policies/handling.json
  ${PROJECT_SOURCE_DIR}/policies/policy.schema.json ${PROJECT_SOURCE_DIR}/policies/call-sites.json
  ${PROJECT_SOURCE_DIR}/policies/prometheus-alerts.yml
  DESTINATION ${CMAKE_INSTALL_DATADIR}/icelock/policies)
# Finds the extension in ../extension, here as in the sources.
install(FILES ${PROJECT_SOURCE_DIR}/installer/pack-extension.mjs DESTINATION ${CMAKE_INSTALL_DATADIR}/icelock/installer)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs
  FILES_MATCHING PATTERN "*.md" PATTERN man EXCLUDE)
foreach(page icelock.1 icelock-host.1 icelock.json.5)
  string(REGEX MATCH "[0-9]$" section ${page})
  icelock_install_gzipped(${PROJECT_SOURCE_DIR}/docs/man/${page} ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(FILES ${installer}/completions/icelock.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME icelock)
install(FILES ${installer}/completions/icelock.zsh
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _icelock)
install(FILES ${installer}/completions/icelock.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Firefox's manifest lies in /usr, so it is a file of the installation, made by the program that knows what is in
# it. Those of the Chromium family lie in /etc: `icelock setup --system` writes them on the machine itself, because
# a package may own nothing in /etc/opt, and a configuration file would stay when the program goes.
set(manifest ${generated}/icelock.host.json)
add_custom_command(OUTPUT ${manifest} DEPENDS icelock ${CMAKE_CURRENT_LIST_DIR}/manifest.cmake VERBATIM
  COMMAND ${CMAKE_COMMAND} -DICELOCK=$<TARGET_FILE:icelock> -DBUILT=$<TARGET_FILE:icelock-host>
    -DINSTALLED=${CMAKE_INSTALL_FULL_BINDIR}/icelock-host -DOUTPUT=${manifest}
    -P ${CMAKE_CURRENT_LIST_DIR}/manifest.cmake)
set_property(GLOBAL APPEND PROPERTY icelock_generated ${manifest})
# Firefox looks nowhere else, whatever the prefix is.
install(FILES ${manifest} DESTINATION /usr/lib/mozilla/native-messaging-hosts)

if(TARGET icelockd)
  include(debian)
endif()

get_property(files GLOBAL PROPERTY icelock_generated)
add_custom_target(installed_files ALL DEPENDS ${files})
