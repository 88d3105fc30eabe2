# SPDX-License-Identifier: Apache-2.0
# The system service and the Debian package: only together with icelockd.

install(TARGETS icelockd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
icelock_install_gzipped(${PROJECT_SOURCE_DIR}/docs/man/icelockd.8 ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${installer}/systemd/icelockd.service ${installer}/systemd/icelockd-host.socket
  ${installer}/systemd/icelockd-http.socket DESTINATION lib/systemd/system)
install(FILES ${installer}/systemd/icelock.sysusers.conf DESTINATION lib/sysusers.d RENAME icelock.conf)
install(FILES ${installer}/systemd/icelock.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME icelock.conf)
install(FILES ${installer}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
icelock_install_gzipped(${installer}/debian/changelog ${CMAKE_INSTALL_DOCDIR})

# After a removal dpkg keeps postrm alone, so what a purge needs must be in it.
set(control ${PROJECT_BINARY_DIR}/debian)
file(READ ${installer}/debian/restore.pl ICELOCK_RESTORE)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${installer}/debian/restore.pl)
foreach(script postinst prerm postrm)
  configure_file(${installer}/debian/${script} ${control}/${script} @ONLY
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME icelock)
set(CPACK_PACKAGE_VENDOR icelock)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "icelock maintainers <maintainers@icelock.invalid>")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# For the group; icelock and icelock-host work without a running systemd.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "WebRTC lockdown that follows the network")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "A VPN or proxy hides the address of a machine, and WebRTC in a browser can
show it all the same. icelock asks the kernel where packets go and sets each
browser to the loosest level at which nothing protected shows, so that calls
which can be safe still connect.
.
This package holds the system service, the host that browsers start, the
command line program, and the folder of the browser extension. Nothing is
written to a browser's policy before an admin asks for it.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${control}/postinst ${control}/prerm ${control}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
