# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything that is not code, held to its own checkers.

TESTS += %D%/units.sh %D%/manuals.sh %D%/matrix-manual.sh %D%/install.sh
EXTRA_DIST += %D%/units.sh %D%/manuals.sh %D%/matrix-manual.sh %D%/install.sh
# By hand, as root: boot.sh says what it needs.
EXTRA_DIST += %D%/boot.sh %D%/boot-inside.sh
