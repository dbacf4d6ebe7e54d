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
		/** Its connection is cut, as that of a process that is killed with -9: nobody says goodbye. */
		const cut = () => {
			running.splice(running.indexOf(nodeID), 1);
			redis.client.disconnect();
		};
		return { presence, join, rooms, expired, cut, reconnect: () => redis.client.connect() };
	};
	/** All that Redis holds of a node. */
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
	const forget = async () => watcher.client.del(await watcher.client.keys(`${keyPrefix}*`));

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
		const [here, asking] = [await node("revolving"), await node("asking")];
		const turn = () => new Promise(setImmediate);
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
					} else await (step === "wait" ? last : turn());
				}
				await here.join(room);
				assert.deepEqual((await asking.presence.nodesOf([room])).get(room), ["revolving"]);
				here.presence.leave(room);
				await eventually(
					async () => assert.deepEqual((await asking.presence.nodesOf([room])).get(room), []),
					"the room to be left"
				);
			}),
			{ numRuns: 50 }
		);
	});

	it("tells Redis once of a room that many enter", async () => {
		const { join } = await node("crowded");
		const room = `feed:${randomUUID()}`;
		// One comes before the one before it is told of.
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

	it("sends to everybody right after Redis forgot everything, and again only to those concerned once they have registered anew", async () => {
		const here = await node("forgotten");
		const room = `user:${randomUUID()}`;
		await here.join(room);
		await forget();
		assert.deepEqual((await here.presence.nodesOf([room])).get(room)?.toSorted(), [...running].sort());
		await eventually(
			async () => assert.deepEqual((await here.presence.nodesOf([room])).get(room), ["forgotten"]),
			"the nodes to register anew"
		);
	});

	it("counts a node whose lease has run out among those to be told, as long as the broker knows it", async () => {
		const { presence } = await node("keeper");
		running.push("silent");
		const room = `user:${randomUUID()}`;
		// Those who were forgotten before may still be registering anew.
		await eventually(
			async () => assert.deepEqual((await presence.nodesOf([room])).get(room), ["silent"]),
			"only the silent one to be unsure"
		);
		assert.equal(await presence.isExpected("silent", 4_000), true);
		assert.equal(await presence.isExpected("silent", 6_000), false);
		running.pop();
		assert.deepEqual((await presence.nodesOf([room])).get(room), []);
		assert.equal(await presence.isExpected("silent", 0), false);
	});

	it("knows a node that was killed and is back in the rooms it has now, and in none of its former life", async () => {
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

	it("forgets a node that never comes back, whoever asks for its rooms or not, and tells it so if it was not dead", async () => {
		const { join, cut, expired, reconnect } = await node("lost");
		const rooms = Array.from({ length: 1_100 }, () => `user:${randomUUID()}`);
		await Promise.all(rooms.map(join));
		cut();
		await eventually(async () => assert.deepEqual(await tracesOf("lost"), []), "the others to bury it");
		assert.deepEqual(expired, []);
		await reconnect();
		await eventually(() => assert.deepEqual(expired, ["lost"]), "it to hear that it was given up");
		assert.equal((await tracesOf("lost")).length, rooms.length + 3);
	});

	it("expects a busy node to answer in the end, but not for ever", async () => {
		await node("busy");
		const { presence } = await node("waiting");
		running.splice(running.indexOf("busy"), 1);
		assert.equal(await presence.isExpected("busy", 20_000), true);
		assert.equal(await presence.isExpected("busy", 40_000), false);
	});
});
