import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { unavailable } from "../../mixins/errors.ts";
import { ADMINS, createRooms, type Member, userRoom } from "./rooms.ts";

describe("rooms", () => {
	it("confirm a member only once the node reads the topics, and give it what arrives before that", async () => {
		const reading = Promise.withResolvers<void>();
		const rooms = createRooms(() => reading.promise);
		const member: Member = {};
		let isConfirmed = false;
		const entering = rooms.enter("room", member).then(() => {
			isConfirmed = true;
		});
		await setImmediate();
		assert.deepEqual([isConfirmed, rooms.has("room", member)], [false, true]);
		reading.resolve();
		await entering;
		assert.ok(isConfirmed && rooms.has("room", member));
	});

	it("reject a member, and keep nothing of it, while the topics cannot be read", async () => {
		const rooms = createRooms(() => Promise.reject(unavailable("the topics")));
		await assert.rejects(rooms.enter("room", {}), { type: "UNAVAILABLE", code: 503 });
		assert.equal(rooms.members("room").size, 0);
	});

	it("say whether any user has members here", async () => {
		const rooms = createRooms();
		await rooms.enter(ADMINS, {});
		assert.equal(rooms.hasUsers(), false);
		const member = {};
		await rooms.enter(userRoom("ann"), member);
		assert.equal(rooms.hasUsers(), true);
		rooms.leave(userRoom("ann"), member);
		assert.equal(rooms.hasUsers(), false);
	});
});
