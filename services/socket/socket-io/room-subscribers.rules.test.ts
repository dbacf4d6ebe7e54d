import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomFrom } from "../../../test/random.ts";
import { roomSubscribers, type Subscriber } from "./room-subscribers.ts";

const ROOM = "room";

/** Subscribers of one room, and in place of Socket.IO's room a set. */
function open() {
	const { beforeEvent, ...rooms } = roomSubscribers();
	const inRoom = new Set<(version: number) => void>();
	const subscribe = () => {
		const received: number[] = [];
		const receive = (version: number) => void received.push(version);
		const socket = {
			emit: (_: string, payload: unknown) => receive(payload as number),
			join: () => void inRoom.add(receive),
			leave: () => void inRoom.delete(receive)
		};
		const subscriber: Subscriber = { socket, room: ROOM, version: undefined, held: undefined };
		rooms.hold(subscriber);
		return { subscriber, received, receive };
	};
	const emit = (...versions: number[]) => {
		for (const version of versions) {
			beforeEvent(ROOM, { name: "event", payload: version, version });
			for (const receive of inRoom) receive(version);
		}
	};
	return { ...rooms, inRoom, subscribe, emit };
}

describe("the subscribers of a room", () => {
	it("get the events after their snapshot that arrived while it was read, and then the later ones", () => {
		const { subscribe, emit, follow } = open();
		const { subscriber, received } = subscribe();
		emit(3, 4, 5);
		assert.deepEqual(received, []);
		follow(subscriber, 4);
		emit(6);
		assert.deepEqual(received, [5, 6]);
	});

	it("do not get the events of before their snapshot that arrive after it", () => {
		const { subscribe, emit, follow } = open();
		const [early, late] = [subscribe(), subscribe()];
		follow(early.subscriber, 1);
		follow(late.subscriber, 4);
		emit(2, 3, 4, 5);
		assert.deepEqual([early.received, late.received], [[2, 3, 4, 5], [5]]);
	});

	it("are in Socket.IO's room from the first later event on, and out of it after they have left", () => {
		const { subscribe, emit, follow, remove, inRoom } = open();
		const { subscriber, received, receive } = subscribe();
		follow(subscriber, 1);
		assert.deepEqual([...inRoom], []);
		emit(2);
		assert.deepEqual([...inRoom], [receive]);
		remove(subscriber);
		emit(3);
		assert.deepEqual([received, inRoom.size], [[2], 0]);
	});

	it("get nothing after they have left while their snapshot was read, or before the first event", () => {
		const { subscribe, emit, follow, remove } = open();
		const [reading, waiting] = [subscribe(), subscribe()];
		follow(waiting.subscriber, 1);
		remove(reading.subscriber);
		remove(waiting.subscriber);
		emit(2, 3);
		assert.deepEqual([reading.received, waiting.received], [[], []]);
	});

	it("end with every version after their snapshot, once and in order, whatever the interleaving", () => {
		for (let seed = 1; seed <= 300; seed++) {
			const { between, chance, pick } = randomFrom(seed);
			const { subscribe, emit, hold, follow } = open();
			/** The store's version, and the last one that has reached this node. */
			let [stored, emitted] = [between(0, 5), 0];
			const clients = Array.from({ length: 5 }, () => ({ ...subscribe(), expected: 0, isReading: true }));
			for (let step = 0; step < 200; step++) {
				if (chance(0.5)) stored++;
				if (chance(0.5) && emitted < stored) emit(++emitted);
				const client = pick(clients);
				const { subscriber, received } = client;
				if (client.isReading && chance(0.5)) {
					// A snapshot has every change that was stored when its read began, and perhaps later ones.
					received.length = 0;
					client.expected = stored;
					client.isReading = false;
					follow(subscriber, stored);
				} else if (!client.isReading && chance(0.1)) {
					client.isReading = true;
					hold(subscriber);
				}
			}
			while (emitted < stored) emit(++emitted);
			for (const { received, expected, isReading } of clients) {
				if (isReading) continue;
				const wanted = Array.from({ length: stored - expected }, (_, n) => expected + 1 + n);
				assert.deepEqual(received, wanted, `seed ${seed}`);
			}
		}
	});
});
