# SPDX-License-Identifier: LGPL-2.1-or-later

dist_sysconf_DATA = %D%/mapseald.conf
# Completions are found by the command's name.
dist_bashcompletion_DATA = %D%/bash-completion/mapsealctl
systemdsystemunit_DATA = %D%/mapseal.socket %D%/mapseald.service

EXTRA_DIST += %D%/mapseal.socket %D%/mapseald.service.in

CLEANFILES += %D%/mapseald.service

%D%/mapseald.service: %D%/mapseald.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/%D%/mapseald.service.in >$@
