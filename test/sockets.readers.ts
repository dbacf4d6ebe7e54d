// Sockets that read and measure latency, and sockets that never read.
import { once } from "node:events";
import { WebSocket } from "ws";

export interface Measurement {
	/** Latency from publishing to receiving. */
	p50Ms: number;
	p99Ms: number;
	frames: number;
	/** Frames that were not received. */
	lost: number;
	/** The number of closes by code; a closed reader reconnects. */
	closings: Record<number, number>;
}

/** Frames for readers contain a sequence number and their send time. */
const NUMBERED = /"name":"a","count":(\d+)\},\{"name":"b","count":(\d+)\}/;
const HEAD_BYTES = 300;
/** Interval of pongs, which keep the server from closing a socket that never reads. */
const ALIVE_EVERY_MS = 2_000;

/** Microseconds of a clock that all processes of this machine share. */
export const nowUs = () => Math.round(Number(process.hrtime.bigint() / 1000n));

async function openAs(url: string, user: string): Promise<WebSocket> {
	const ws = new WebSocket(url, { perMessageDeflate: false });
	await once(ws, "open");
	ws.send(JSON.stringify({ code: "connect", data: { user } }));
	await once(ws, "message");
	return ws;
}

export const percentile = (sorted: ArrayLike<number>, part: number) =>
	sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

/** A socket that reads one user's pushes, and reconnects when it is closed. */
interface Reader {
	user: string;
	/** The last sequence number; undefined: no frame on this connection yet, which may start with any number. */
	seq: number | undefined;
}

/** Sockets that read the pushes of their users. */
export function readers() {
	const all: Reader[] = [];
	let samplesUs: number[] = [];
	let lost = 0;
	let closings: Record<number, number> = {};

	const keepOpen = async (url: string, reader: Reader) => {
		const ws = await openAs(url, reader.user);
		ws.on("message", (data: Buffer) => {
			const found = NUMBERED.exec(data.toString("utf8", 0, HEAD_BYTES));
			if (!found) return;
			const [, seq, sentUs] = found.map(Number) as [number, number, number];
			// A retried append may have written a message twice.
			if (reader.seq !== undefined && seq <= reader.seq) return;
			samplesUs.push(nowUs() - sentUs);
			lost += seq - (reader.seq ?? seq - 1) - 1;
			reader.seq = seq;
		});
		ws.on("close", code => {
			closings[code] = (closings[code] ?? 0) + 1;
			reader.seq = undefined;
			void keepOpen(url, reader);
		});
	};

	return {
		/** Opens `each` sockets for each of these users. */
		async openReaders(url: string, users: string[], each: number) {
			const some = users.flatMap(user => Array.from({ length: each }, (): Reader => ({ user, seq: 0 })));
			all.push(...some);
			await Promise.all(some.map(reader => keepOpen(url, reader)));
		},
		/** How many sockets of a user have not received this sequence number yet. */
		async behind(user: string, seq: number) {
			return all.filter(one => one.user === user && one.seq !== undefined && one.seq < seq).length;
		},
		/** Measurements since the last call. */
		async measure(): Promise<Measurement> {
			const sorted = Float64Array.from(samplesUs).sort();
			const [p50Ms, p99Ms] = [percentile(sorted, 0.5) / 1000, percentile(sorted, 0.99) / 1000];
			const measure = { p50Ms, p99Ms, frames: sorted.length, lost, closings };
			samplesUs = [];
			lost = 0;
			closings = {};
			return measure;
		}
	};
}

/** Sockets that never read, and send pongs periodically. */
export function nonReaders() {
	let open: { ws: WebSocket; alive: NodeJS.Timeout }[] = [];

	return {
		/** Opens `each` sockets for each of these users. */
		async openNonReaders(url: string, users: string[], each: number) {
			const all = users.flatMap(user => Array.from({ length: each }, () => openAs(url, user)));
			open = (await Promise.all(all)).map(ws => {
				ws.pause();
				ws.on("error", () => {});
				return { ws, alive: setInterval(() => ws.pong(), ALIVE_EVERY_MS) };
			});
		},
		async dropNonReaders() {
			for (const { ws, alive } of open) {
				clearInterval(alive);
				ws.terminate();
			}
			open = [];
		}
	};
}
