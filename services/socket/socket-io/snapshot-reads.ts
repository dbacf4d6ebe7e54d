// Reads rooms' snapshots for Socket.IO clients. The clients of one address are served one after the other, so that their snapshots, which may have
// megabytes, delay only each other; those that wait for the same room share one read.
import { deadlineIn } from "../../../mixins/deadline.ts";
import { takeTurns } from "../../../mixins/in-turn.ts";

/** A request for a snapshot. */
export interface SnapshotRequest {
	/** Called before the snapshot is read. False: this request does not want it any more. */
	begin(): Promise<boolean>;
	/** Sends the snapshot; resolves once the next client may be served. */
	serve(snapshot: unknown): Promise<void>;
}

/** Requests for one room whose read has not begun, by the subscriber that they are made for. */
interface Group {
	requests: Map<object, SnapshotRequest>;
	served: Promise<void>;
}

/** For waiting, reading and serving together. */
const SERVE_WITHIN_MS = 10_000;

export function snapshotReads() {
	const inTurn = takeTurns("the room's snapshot");
	const groups = new Map<string, Group>();

	const openGroup = (key: string, address: string, read: () => Promise<unknown>): Group => {
		const requests: Group["requests"] = new Map();
		const close = () => groups.get(key) === group && groups.delete(key);
		const serve = async () => {
			// A request that comes from now on wants a newer snapshot.
			close();
			const wanted = await Promise.all([...requests.values()].map(request => request.begin()));
			if (!wanted.includes(true)) return;
			const snapshot = await read();
			for (const request of requests.values()) await request.serve(snapshot);
		};
		const group: Group = { requests, served: inTurn(address, deadlineIn(SERVE_WITHIN_MS), serve).finally(close) };
		groups.set(key, group);
		return group;
	};

	/**
	 * Resolves once the request was served, or was dropped by its `serve`. Rejects as `read` and `begin` do, and with 503 `UNAVAILABLE` after 10 s.
	 * Two requests of one subscriber do not share a read.
	 */
	return async (
		{ address, room, subscriber, read }: { address: string; room: string; subscriber: object; read: () => Promise<unknown> },
		request: SnapshotRequest
	): Promise<void> => {
		const key = `${address} ${room}`;
		let group = groups.get(key);
		while (group?.requests.has(subscriber)) {
			await group.served.catch(() => {});
			group = groups.get(key);
		}
		group ??= openGroup(key, address, read);
		group.requests.set(subscriber, request);
		await group.served;
	};
}

export type ReadSnapshot = ReturnType<typeof snapshotReads>;
