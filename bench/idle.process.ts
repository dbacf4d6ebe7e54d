// A process with many sockets that send `connect` and then stay idle; it notifies its parent once all are connected.
import { once } from "node:events";
import { WebSocket } from "ws";

const [url = "", count = "1"] = process.argv.slice(2);
/** More would overflow the server's listen queue. */
const CONCURRENCY = 100;

let next = 0;
async function openOneByOne() {
	for (let n = next++; n < Number(count); n = next++) {
		const socket = new WebSocket(url, { perMessageDeflate: false });
		socket.on("close", code => {
			throw new Error(`socket ${n} was closed with ${code}`);
		});
		await once(socket, "open");
		socket.send(JSON.stringify({ code: "connect", data: { user: `idle-${n}` } }));
		const [frame] = await once(socket, "message");
		if (!String(frame).startsWith('{"code":"connected"')) throw new Error(`socket ${n} received ${frame}`);
	}
}
await Promise.all(Array.from({ length: CONCURRENCY }, openOneByOne));
process.send!("ready");
