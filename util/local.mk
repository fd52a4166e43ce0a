noinst_LTLIBRARIES += %D%/libutil.la
util_libutil_la_SOURCES = \
	%D%/cleanup.h \
	%D%/idmap.c \
	%D%/idmap.h \
	%D%/list.h \
	%D%/range.c \
	%D%/range.h \
	%D%/units.c \
	%D%/units.h
