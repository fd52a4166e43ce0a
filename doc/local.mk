# SPDX-License-Identifier: LGPL-2.1-or-later

dist_man_MANS += \
	%D%/mapseal.7 \
	%D%/mapseald.8 \
	%D%/mapsealctl.1 \
	%D%/libmapseal.3 \
	%D%/mapseald.conf.5

EXTRA_DIST += %D%/architecture.md
