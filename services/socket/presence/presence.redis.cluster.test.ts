import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { openRedis, type Redis } from "../../../mixins/redis.ts";
import { readConfig } from "../../../runtime/config.ts";
import { eventually } from "../../../test/client.ts";
import { redisPresence } from "./presence.redis.ts";
import type { Presence } from "./presence.ts";

describe("presence in Redis", () => {
	const keyPrefix = `presence-${randomUUID()}:`;
	const running: string[] = [];
	const opened: { presence: Presence; redis: Redis; rooms: Set<string> }[] = [];
	let watcher: Redis;
	before(() => {
		watcher = openRedis(readConfig(process.env).redisUrl);
		return watcher.check();
	});
	after(async () => {
		for (const { presence, redis } of opened) {
			await presence.stop();
			await redis.close();
		}
		const keys = await watcher.client.keys(`${keyPrefix}*`);
		if (keys.length > 0) await watcher.client.del(keys);
		await watcher.close();
	});

	const node = async (nodeID: string, former: string[] = []) => {
		const redis = openRedis(readConfig(process.env).redisUrl);
		await redis.check();
		const rooms = new Set(former);
		const expired: string[] = [];
		const presence = redisPresence(redis, {
			nodeID,
			socketNodes: () => running,
			keyPrefix
		});
		presence.start({ rooms: () => rooms, onExpired: () => expired.push(nodeID) });
		running.push(nodeID);
		opened.push({ presence, redis, rooms });
		await eventually(
			async () => assert.equal(await watcher.client.get(`${keyPrefix}node:${nodeID}`), "ready"),
			`${nodeID} to take its lease`
		);
		const join = async (room: string) => {
			rooms.add(room);
			await presence.join(room);
		};
		/** Its connection is lost without any clean-up, like that of a process killed with -9. */
		const cut = () => {
			running.splice(running.indexOf(nodeID), 1);
			redis.client.disconnect();
		};
		return { presence, join, rooms, expired, cut, reconnect: () => redis.client.connect() };
	};
	/** All keys in Redis that mention a node. */
	const tracesOf = async (nodeID: string) => {
		const keys = await watcher.client.keys(`${keyPrefix}*`);
		const found = await Promise.all(
			keys.map(async key => {
				if (key === `${keyPrefix}node:${nodeID}` || key === `${keyPrefix}rooms:${nodeID}`) return key;
				if ((await watcher.client.type(key)) !== "set") return [];
				return (await watcher.client.sismember(key, nodeID)) === 1 ? key : [];
			})
		);
		return found.flat().map(key => key.slice(keyPrefix.length));
	};
	const deleteAll = async () => watcher.client.del(await watcher.client.keys(`${keyPrefix}*`));

	it("finds the nodes of a room as soon as join has resolved, and no others", async () => {
		const [one, two, three] = [await node("one"), await node("two"), await node("three")];
		const room = `user:${randomUUID()}`;
		await one.join(room);
		await two.join(room);
		const nodes = await three.presence.nodesOf([room, "user:nobody"]);
		assert.deepEqual([nodes.get(room)?.toSorted(), nodes.get("user:nobody")], [["one", "two"], []]);
	});

	it("no longer finds a node that has left the room", async () => {
		const { presence, join, rooms } = await node("leaver");
		const room = `user:${randomUUID()}`;
		await join(room);
		rooms.delete(room);
		presence.leave(room);
		await eventually(async () => assert.deepEqual((await presence.nodesOf([room])).get(room), []), "the room to be left");
	});

	it("finds a node as soon as any join has resolved, however often its sockets came and went before", async () => {
		const [here, other] = [await node("revolving"), await node("other")];
		const nextTurn = () => new Promise(setImmediate);
		await fc.assert(
			fc.asyncProperty(fc.array(fc.constantFrom("enter", "leave", "wait", "turn"), { maxLength: 12 }), async steps => {
				const room = `user:${randomUUID()}`;
				let sockets = 0;
				let last = Promise.resolve();
				for (const step of steps) {
					if (step === "enter") {
						sockets++;
						last = here.join(room);
					} else if (step === "leave" && sockets > 0 && --sockets === 0) {
						here.rooms.delete(room);
						here.presence.leave(room);
					} else await (step === "wait" ? last : nextTurn());
				}
				await here.join(room);
				assert.deepEqual((await other.presence.nodesOf([room])).get(room), ["revolving"]);
				here.presence.leave(room);
				await eventually(
					async () => assert.deepEqual((await other.presence.nodesOf([room])).get(room), []),
					"the room to be left"
				);
			}),
			{ numRuns: 50 }
		);
	});

	it("writes a room to Redis once when many enter it", async () => {
		const { join } = await node("crowded");
		const room = `feed:${randomUUID()}`;
		// Each enters before the write for the one before is confirmed.
		const joins: Promise<void>[] = [];
		for (let n = 0; n < 20; n++) {
			joins.push(join(room));
			await new Promise(setImmediate);
		}
		await joins[0];
		await watcher.client.del(`${keyPrefix}room:${room}`);
		await Promise.all([...joins, join(room), join(room)]);
		assert.equal(await watcher.client.exists(`${keyPrefix}room:${room}`), 0);
	});

	it("names every node right after Redis has lost all keys, and only the room's once the nodes have registered again", async () => {
		const here = await node("forgotten");
		const room = `user:${randomUUID()}`;
		await here.join(room);
		await deleteAll();
		assert.deepEqual((await here.presence.nodesOf([room])).get(room)?.toSorted(), [...running].sort());
		await eventually(
			async () => assert.deepEqual((await here.presence.nodesOf([room])).get(room), ["forgotten"]),
			"the nodes to register again"
		);
	});

	it("names a node whose lease has expired for every room, as long as the broker knows it", async () => {
		const { presence } = await node("keeper");
		running.push("silent");
		const room = `user:${randomUUID()}`;
		// Nodes of the test before may still be registering again.
		await eventually(
			async () => assert.deepEqual((await presence.nodesOf([room])).get(room), ["silent"]),
			"only the silent node to be unregistered"
		);
		assert.equal(await presence.isExpected("silent", 4_000), true);
		assert.equal(await presence.isExpected("silent", 6_000), false);
		running.pop();
		assert.deepEqual((await presence.nodesOf([room])).get(room), []);
		assert.equal(await presence.isExpected("silent", 0), false);
	});

	it("names a restarted node for the rooms it has now, and not for those it had before it was killed", async () => {
		const former = await node("killed");
		const [gone, both, now] = ["gone", "both", "now"].map(room => `user:${room}-${randomUUID()}`) as [string, string, string];
		await former.join(gone);
		await former.join(both);
		former.cut();
		const { presence } = await node("killed", [both, now]);
		const nodes = await presence.nodesOf([gone, both, now]);
		assert.deepEqual(Object.fromEntries(nodes), { [gone]: [], [both]: ["killed"], [now]: ["killed"] });
		assert.deepEqual((await tracesOf("killed")).sort(), ["node:killed", "nodes", `room:${both}`, `room:${now}`, "rooms:killed"]);
	});

	it("removes all rooms of a node that does not come back, and calls onExpired on it if it was alive after all", async () => {
		const { join, cut, expired, reconnect } = await node("lost");
		const rooms = Array.from({ length: 1_100 }, () => `user:${randomUUID()}`);
		await Promise.all(rooms.map(join));
		cut();
		await eventually(async () => assert.deepEqual(await tracesOf("lost"), []), "the others to remove its rooms");
		assert.deepEqual(expired, []);
		await reconnect();
		await eventually(() => assert.deepEqual(expired, ["lost"]), "onExpired to be called");
		assert.equal((await tracesOf("lost")).length, rooms.length + 3);
	});

	it("expects a busy node to answer for 30 s, and no longer", async () => {
		await node("busy");
		const { presence } = await node("waiting");
		running.splice(running.indexOf("busy"), 1);
		assert.equal(await presence.isExpected("busy", 20_000), true);
		assert.equal(await presence.isExpected("busy", 40_000), false);
	});
});
