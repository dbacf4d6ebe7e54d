import assert from "node:assert/strict";
import { networkInterfaces, userInfo } from "node:os";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { createConnections } from "../../runtime/http/connections.ts";
import { rawRequest } from "../../test/client.ts";
import { freePorts } from "../../test/process.ts";
import { MetricsText, metricsServer } from "./metrics-server.ts";

describe("the metrics server on a loopback address", () => {
	let broker: ServiceBroker;
	let url: string;
	before(async () => {
		const [port = 0] = await freePorts(1);
		url = `http://127.0.0.1:${port}`;
		const connections = createConnections({ maxPerAddress: 0, maxTotal: 100, isTrusted: () => false });
		broker = new ServiceBroker({
			logger: false,
			nodeID: "node-1",
			metrics: { enabled: true, collectProcessMetrics: true, reporter: [new MetricsText() as never] },
			middlewares: [metricsServer({ metricsHost: "127.0.0.1", metricsPort: port, connections: () => connections })]
		});
		await broker.start();
	});
	after(() => broker?.stop());

	it("shows metrics of the node, but not its arguments, its user and the network addresses of the machine", async () => {
		const text = await (await fetch(`${url}/metrics`)).text();
		assert.match(text, /^process_memory_rss\{nodeID="node-1"/m);
		assert.doesNotMatch(text, /process_arguments|os_user_|os_network_|os_hostname/);
		const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
		for (const hidden of [process.argv[1], userInfo().homedir, ...addresses.map(({ mac }) => mac)])
			if (hidden && hidden !== "/") assert.ok(!text.includes(`"${hidden}"`), `${hidden} is shown`);
	});

	for (const path of ["/metrics", "/health", "/health/ready", "/health/live", "/nothing"])
		it(`does not answer ${path} under a foreign host name, which a page could let resolve to this machine`, async () => {
			for (const host of ["evil.example", "evil.example:3030", "localhost.evil.example"]) {
				const { status, text, headers } = await rawRequest(url, "GET", path, { host });
				assert.deepEqual([status, JSON.parse(text).type], [403, "HOST_NOT_ALLOWED"], `${host} ${text}`);
				assert.ok(headers["x-request-id"]);
				assert.equal(headers["x-content-type-options"], "nosniff");
			}
		});

	it("answers under the names of this machine", async () => {
		for (const host of ["localhost", "127.0.0.1:3030", "[::1]:3030"])
			assert.equal((await rawRequest(url, "GET", "/health/live", { host })).status, 200, host);
	});
});
