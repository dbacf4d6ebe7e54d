import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomFrom } from "../../../test/random.ts";
import { FetchSession, type SessionRequest } from "./fetch-session.ts";
import type { Place } from "./reader.ts";

/** The server's side of a fetch session, as KIP-227 describes it. */
function server() {
	let nextID = 1;
	let session: { id: number; epoch: number; wanted: Map<string, string> } | undefined;
	const key = (topic: string, partition: number) => `${topic}/${partition}`;
	return {
		/** The server evicts the session. */
		forget() {
			session = undefined;
		},
		wanted: () => session?.wanted,
		receive({ sessionId, sessionEpoch, topics, forgottenTopics }: SessionRequest) {
			const isFirst = sessionEpoch === 0;
			if (!isFirst && session?.id !== sessionId) return { errorCode: 70, sessionId: 0 };
			if (!isFirst && session!.epoch !== sessionEpoch) return { errorCode: 71, sessionId: 0 };
			session = isFirst ? { id: nextID++, epoch: 1, wanted: new Map() } : { ...session!, epoch: sessionEpoch + 1 };
			for (const { topic, partitions } of topics)
				for (const { partition, fetchOffset } of partitions) session.wanted.set(key(topic, partition), fetchOffset);
			for (const { topic, partitions } of forgottenTopics)
				for (const partition of partitions)
					assert.ok(session.wanted.delete(key(topic, partition)), "only a partition of the session is forgotten");
			return { errorCode: 0, sessionId: session.id };
		}
	};
}

type Topics = SessionRequest["topics"];

const inRequest = (topics: Topics) =>
	new Map(
		topics.flatMap(({ topic, partitions }) =>
			partitions.map(({ partition, fetchOffset }) => [`${topic}/${partition}`, fetchOffset] as const)
		)
	);
const all = (wanted: Place[]) =>
	new Map(wanted.map(({ topic, partition, offset }) => [`${topic}/${partition}`, String(offset)] as const));
const count = (topics: { partitions: unknown[] }[]) => topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
const sorted = (map: ReadonlyMap<string, string> | undefined) => [...(map ?? [])].sort();
const place = (topic: string, partition: number, offset = 0): Place => ({ topic, partition, offset });
/** What a request lists of a topic. */
const listed = (topic: string, ...places: Place[]) => ({
	topic,
	partitions: places.map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes: 512 * 1024 }))
});

describe("a fetch session", () => {
	it("lists everything once, then only what has changed", () => {
		const session = new FetchSession();
		const first = [place("a", 0), place("a", 1)];
		assert.deepEqual(session.nextRequest(first), {
			sessionId: 0,
			sessionEpoch: 0,
			topics: [listed("a", ...first)],
			forgottenTopics: []
		});
		session.onResponse({ errorCode: 0, sessionId: 7 });
		assert.deepEqual(session.nextRequest([place("a", 0, 5), place("a", 1)]), {
			sessionId: 7,
			sessionEpoch: 1,
			topics: [listed("a", place("a", 0, 5))],
			forgottenTopics: []
		});
		session.onResponse({ errorCode: 0, sessionId: 7 });
		assert.deepEqual(session.nextRequest([place("b", 3)]), {
			sessionId: 7,
			sessionEpoch: 2,
			topics: [listed("b", place("b", 3))],
			forgottenTopics: [{ topic: "a", partitions: [0, 1] }]
		});
	});

	it("ends the session and starts another when a response was lost, and names none when the server has evicted it", () => {
		const wanted = [place("a", 0)];
		const topics = [listed("a", ...wanted)];
		const session = new FetchSession();
		session.nextRequest(wanted);
		session.onResponse({ errorCode: 0, sessionId: 7 });
		session.nextRequest(wanted);
		session.onFailure();
		assert.deepEqual(session.nextRequest(wanted), { sessionId: 7, sessionEpoch: 0, topics, forgottenTopics: [] });
		session.onResponse({ errorCode: 0, sessionId: 8 });
		session.nextRequest(wanted);
		session.onResponse({ errorCode: 70, sessionId: 0 });
		assert.deepEqual(session.nextRequest(wanted), { sessionId: 0, sessionEpoch: 0, topics, forgottenTopics: [] });
	});

	it("lists everything each time for a server that keeps no session", () => {
		const wanted = [place("a", 0)];
		const topics = [listed("a", ...wanted)];
		const session = new FetchSession();
		for (const answer of [{ errorCode: 0, sessionId: 0 }, {}]) {
			assert.deepEqual(session.nextRequest(wanted), { sessionId: 0, sessionEpoch: 0, topics, forgottenTopics: [] });
			session.onResponse(answer);
		}
	});

	it("starts with another partition each time while there is no session: a response may have no room for the last", () => {
		const session = new FetchSession();
		const wanted = ["a", "b"].flatMap(topic => [place(topic, 0), place(topic, 1), place(topic, 2)]);
		const firsts = Array.from({ length: 6 }, () => {
			const { topics } = session.nextRequest(wanted);
			session.onResponse({ errorCode: 0, sessionId: 0 });
			assert.deepEqual(sorted(inRequest(topics)), sorted(all(wanted)));
			return `${topics[0]!.topic}${topics[0]!.partitions[0]!.partition}`;
		});
		assert.deepEqual(firsts.toSorted(), ["a0", "a1", "a2", "b0", "b1", "b2"]);
	});

	it("keeps the server's session equal to what is wanted, whatever changes, is lost or evicted", () => {
		let incremental = 0;
		for (let seed = 1; seed <= 200; seed++) {
			const { chance, between } = randomFrom(seed);
			const [session, kafka] = [new FetchSession(), server()];
			const offsets = new Map<string, number>();
			for (let turn = 0; turn < 30; turn++) {
				const wanted = ["a", "b", "c"].flatMap(topic =>
					[0, 1, 2, 3]
						.filter(() => chance(0.8))
						.map(id => {
							const key = `${topic}/${id}`;
							offsets.set(key, (offsets.get(key) ?? 0) + (chance(0.3) ? between(1, 5) : 0));
							return place(topic, id, offsets.get(key));
						})
				);
				if (chance(0.1)) kafka.forget();
				const request = session.nextRequest(wanted);
				if (chance(0.1)) {
					// The request or its response is lost.
					if (chance(0.5)) kafka.receive(request);
					session.onFailure();
					continue;
				}
				const answer = kafka.receive(request);
				session.onResponse(answer);
				if (answer.errorCode !== 0) continue;
				assert.deepEqual(sorted(kafka.wanted()), sorted(all(wanted)), `seed ${seed}, turn ${turn}`);
				if (request.sessionEpoch > 0) incremental++;
				if (request.sessionEpoch > 0) assert.ok(count(request.topics) <= wanted.length);
			}
		}
		assert.ok(incremental > 2_000, `only ${incremental} were incremental`);
	});
});
