# SPDX-License-Identifier: LGPL-2.1-or-later
#
# RDMA without a device for it: rxe over a network interface that leads nowhere.

. "$top_srcdir/tests/guest/suites/nvdimm.sh"

modprobe -a dummy rdma_rxe ib_uverbs rdma_ucm
export RDMA_ADDRESS=10.9.9.1
ip link add mapseal0 type dummy
ip addr add "$RDMA_ADDRESS/24" dev mapseal0
ip link set mapseal0 up
rdma link add rxe0 type rxe netdev mapseal0
chmod 0666 /dev/infiniband/*

for type in ext4 xfs; do
	dax_mount "$type" /mnt
	GUEST_DIRECTORY=/mnt run "tests/guest/$type/rdma-register" "$(built tests/guest/rdma-register)"
	RDMA_DIRECTORY=/mnt run "tests/guest/$type/rdma-direct" bash "$top_srcdir/tests/guest/rdma-direct.sh"
	umount /mnt
done
run tests/guest/rdma-counted "$(built "tests/guest/rdma-counted")"
for test in rdma-recalled rdma-silent; do
	run "tests/guest/$test" bash "$top_srcdir/tests/guest/$test.sh"
done
