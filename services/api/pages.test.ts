import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import { pageFiles } from "./pages.ts";

it("a request for several ranges of a page gets the whole page, and one for a single range that part", async t => {
	const serve = pageFiles((_req, res, error) => res.writeHead(500).end(String(error)));
	const server = createServer((req, res) => serve(req, res, () => res.writeHead(404).end()));
	await once(server.listen(0, "127.0.0.1"), "listening");
	t.after(() => server.close());
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`;
	const get = async (range?: string) => {
		const response = await fetch(url, { headers: range ? { range } : {} });
		return { status: response.status, text: await response.text() };
	};
	const whole = await get();
	assert.equal(whole.status, 200);
	assert.deepEqual(await get("bytes=0-1"), { status: 206, text: whole.text.slice(0, 2) });
	for (const ranges of ["bytes=0-0,1-1", `bytes=${"0-0,".repeat(3_000)}0-0`]) assert.deepEqual(await get(ranges), whole);
});
