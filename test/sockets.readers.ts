// Sockets that read and take the time, and sockets that never read.
import { once } from "node:events";
import { WebSocket } from "ws";

export interface Taken {
	/** From the publisher's clock to the reader. */
	p50Ms: number;
	p99Ms: number;
	frames: number;
	/** Frames that never came. */
	lost: number;
	/** With which codes readers were closed, and how often: all that were came again. */
	closings: Record<number, number>;
}

/** A reader counts on frames that number themselves and say when they were sent. */
const NUMBERED = /"name":"a","count":(\d+)\},\{"name":"b","count":(\d+)\}/;
const HEAD_BYTES = 300;
/** One that sends a sign of life is not taken for dead. */
const ALIVE_EVERY_MS = 2_000;

/** Microseconds by a clock that all processes of this machine share. */
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

/** A reader of one user's pushes, that comes again where it is closed. */
interface Reader {
	user: string;
	/** The last that it had; undefined: nothing yet on this connection, whose first may have any number. */
	seq: number | undefined;
}

/** Sockets that read what their users are pushed. */
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
			// Kafka may have taken one twice.
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
		/** So many for each of these users. */
		async openReaders(url: string, users: string[], each: number) {
			const some = users.flatMap(user => Array.from({ length: each }, (): Reader => ({ user, seq: 0 })));
			all.push(...some);
			await Promise.all(some.map(reader => keepOpen(url, reader)));
		},
		/** How many of a user's have not had this one yet. */
		async behind(user: string, seq: number) {
			return all.filter(one => one.user === user && one.seq !== undefined && one.seq < seq).length;
		},
		/** Since it was last asked. */
		async taken(): Promise<Taken> {
			const sorted = Float64Array.from(samplesUs).sort();
			const [p50Ms, p99Ms] = [percentile(sorted, 0.5) / 1000, percentile(sorted, 0.99) / 1000];
			const taken = { p50Ms, p99Ms, frames: sorted.length, lost, closings };
			samplesUs = [];
			lost = 0;
			closings = {};
			return taken;
		}
	};
}

/** Sockets that never read, and send a sign of life now and then. */
export function nonReaders() {
	let open: { ws: WebSocket; alive: NodeJS.Timeout }[] = [];

	return {
		/** So many for each of these users. */
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
