/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may see what.
 *
 * Root sees everything. Others see what belongs to their uid, and what concerns an object that this
 * very session has proved access to: by a descriptor, or by being let into an export. A proof lasts
 * as long as both, session and object, and says nothing about another object that comes later under the
 * same name.
 *
 * The table goes by a mix of both ids; where two proofs share a mix, the one that is not found counts as missing,
 * which shows less rather than more.
 */

#include <stdlib.h>

#include "daemon/supervisor/wiring.h"

static uint64_t mix(const struct client *client, uint64_t object)
{
	return client->node.id * UINT64_C(0x9e3779b97f4a7c15) ^ object;
}

static bool proved(const struct supervisor *s, const struct client *client, uint64_t object)
{
	struct idmap_node *n = idmap_find(&s->proofs, mix(client, object));
	const struct proof *proof = n ? container_of(n, struct proof, node) : NULL;

	return proof && proof->client == client && proof->object->node.id == object;
}

int visibility_prove(struct supervisor *s, struct client *client, struct object *object)
{
	struct proof *proof;

	if (proved(s, client, object->node.id))
		return 0;
	proof = malloc(sizeof(*proof));
	if (!proof)
		return -ENOMEM;
	proof->client = client;
	proof->object = object;
	list_append(&client->proofs, &proof->by_client);
	list_append(&object->proofs, &proof->by_object);
	idmap_insert(&s->proofs, &proof->node, mix(client, object->node.id));
	return 0;
}

static void forget(struct supervisor *s, struct proof *proof)
{
	idmap_remove(&s->proofs, &proof->node);
	list_unlink(&proof->by_client);
	list_unlink(&proof->by_object);
	free(proof);
}

void visibility_forget_client(struct supervisor *s, struct client *client)
{
	list_for_each (l, &client->proofs)
		forget(s, list_entry(l, struct proof, by_client));
}

void visibility_forget_object(struct supervisor *s, struct object *object)
{
	list_for_each (l, &object->proofs)
		forget(s, list_entry(l, struct proof, by_object));
}

bool visible(const struct supervisor *s, const struct client *client, uid_t owner, uint64_t object)
{
	return client->uid == 0 || client->uid == owner || (object && proved(s, client, object));
}
