# SPDX-License-Identifier: LGPL-2.1-or-later

dist_sysconf_DATA = %D%/mapseald.conf
dist_bashcompletion_DATA = %D%/mapsealctl.bash-completion
systemdsystemunit_DATA = %D%/mapseal.socket %D%/mapseald.service

bashcompletion_install = install-data-hook

EXTRA_DIST += %D%/mapseal.socket %D%/mapseald.service.in

CLEANFILES += %D%/mapseald.service

%D%/mapseald.service: %D%/mapseald.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/%D%/mapseald.service.in >$@
