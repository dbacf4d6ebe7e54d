// A process with many Socket.IO clients that watch one show, with as little work per change as possible. Controlled by seat-watchers.ts.
import { io } from "socket.io-client";
import { nowUs } from "../test/sockets.readers.ts";

const [url = "", showId = "", ...tokens] = process.argv.slice(2);
/** More handshakes at once would wait in the listen queue. */
const CONCURRENCY = 50;

/** Version → when each client received it. */
const receivedUs = new Map<number, number[]>();
let expected: number | undefined;

const sendIfComplete = () => {
	const times = expected === undefined ? undefined : receivedUs.get(expected);
	if (times?.length !== tokens.length) return;
	receivedUs.delete(expected!);
	expected = undefined;
	process.send!(times);
};
/** Opens one client and subscribes. Resolves to the version of the snapshot. */
const watch = (token: string) =>
	new Promise<number>((resolve, reject) => {
		const socket = io(url, { auth: { token }, transports: ["websocket"], forceNew: true, reconnection: false });
		socket.on("connect_error", reject);
		socket.on("disconnect", reason => {
			throw new Error(`a watcher was disconnected: ${reason}`);
		});
		socket.on("seats:updated", ({ version }: { version: number }) => {
			const times = receivedUs.get(version) ?? [];
			times.push(nowUs());
			receivedUs.set(version, times);
			sendIfComplete();
		});
		socket.on("connect", () =>
			socket.emit("subscribe:seats", { showId }, (answer: { ok: boolean; seats: { version: number } }) =>
				answer.ok ? resolve(answer.seats.version) : reject(new Error(JSON.stringify(answer)))
			)
		);
	});

const versions = new Set<number>();
const left = [...tokens];
const openOneByOne = async () => {
	for (let token = left.pop(); token !== undefined; token = left.pop()) versions.add(await watch(token));
};
await Promise.all(Array.from({ length: CONCURRENCY }, openOneByOne));
if (versions.size !== 1) throw new Error(`the snapshots have the versions ${[...versions]}`);
process.on("message", (version: number) => {
	expected = version;
	sendIfComplete();
});
process.send!([...versions][0]);
