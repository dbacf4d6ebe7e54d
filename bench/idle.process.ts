// Many sockets that say who they are, and then nothing more. A process of their own; it tells its parent once all are connected.
import { once } from "node:events";
import { WebSocket } from "ws";

const [url = "", count = "1"] = process.argv.slice(2);
/** More at once would overflow the server's queue of connections that it has not accepted yet. */
const AT_ONCE = 100;

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
		if (!String(frame).startsWith('{"code":"connected"')) throw new Error(`socket ${n} was told ${frame}`);
	}
}
await Promise.all(Array.from({ length: AT_ONCE }, openOneByOne));
process.send!("ready");
