import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { action } from "../../../contract/action.ts";
import { roomSubscription, type TopicContract, topic } from "../../../contract/topic.ts";
import { declaredRooms } from "./declared-rooms.ts";

const actions = { "boxes.get": action({ params: z.object({ id: z.string() }), result: z.object({ version: z.number() }) }) };
const boxes = () =>
	roomSubscription("boxes", actions, "boxes.get", {
		data: z.object({ box: z.string() }),
		params: ({ box }) => ({ id: box }),
		room: ({ box }: { box: string }) => box,
		versionOf: ({ version }: { version: number }) => version
	});
const declaring = (subscription: ReturnType<typeof boxes>) =>
	topic({
		message: z.object({ box: z.string(), version: z.number() }),
		key: ({ box }) => box,
		deliveries: [
			{ to: { subscribersOf: subscription }, event: "box" },
			{ to: "admins", event: "admin:box" }
		]
	}) as unknown as TopicContract;

describe("the declared rooms", () => {
	it("are found by their name, with the contract of the snapshot's action", () => {
		const shared = boxes();
		const found = declaredRooms({ one: declaring(shared), other: declaring(shared) }, actions);
		assert.deepEqual([...found], [["boxes", { subscription: shared, contract: actions["boxes.get"] }]]);
	});

	it("refuse two topics that declare different subscriptions of one name", () => {
		assert.throws(() => declaredRooms({ one: declaring(boxes()), other: declaring(boxes()) }, actions), /"boxes"/);
	});
});
