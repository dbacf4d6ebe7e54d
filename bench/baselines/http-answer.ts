// The cost of an HTTP answer alone: bare node:http that sends constant bytes.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const body = process.env.BODY!;
const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) };

const server = createServer((_req, res) => {
	res.writeHead(200, headers);
	res.end(body);
});
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port));
