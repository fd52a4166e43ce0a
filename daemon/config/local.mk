# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libconfig.la
daemon_config_libconfig_la_SOURCES = \
	%D%/config.c %D%/config.h \
	%D%/keys.c %D%/keys.h \
	%D%/setting.c %D%/setting.h
daemon_config_libconfig_la_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
daemon_config_libconfig_la_LIBADD = \
	daemon/authority/libauthority.la \
	daemon/core/libcore.la \
	util/libutil.la \
	$(INIH_LIBS)
