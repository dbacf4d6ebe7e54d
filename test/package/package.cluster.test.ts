// The package on real servers: the examples of its READMEs that need one, and the application on Kafka and Postgres.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { scratchPostgres } from "../scratch.ts";
import { servers } from "../system.ts";
import { applicationSuite, copyApplication } from "./application.suite.ts";
import { examples, needsServers, withAddresses } from "./documents.ts";
import { runExample } from "./examples.ts";
import { type Installation, installPackage } from "./installation.ts";

describe("the package of the mixins, installed from its tarball, on real servers", () => {
	let installed: Installation;
	let application: string;
	let postgres: Awaited<ReturnType<typeof scratchPostgres>>;
	before(async () => {
		[installed, postgres] = await Promise.all([installPackage(), scratchPostgres()]);
		application = copyApplication(installed);
	});
	after(async () => {
		installed?.remove();
		await postgres?.db.close();
		await postgres?.remove();
	});

	for (const example of examples().filter(needsServers))
		it(`runs the example of ${example.name}`, async () => {
			const own = withAddresses(example, { ...servers(), DATABASE_URL: postgres.url });
			assert.equal(await runExample(installed.folder, own), example.output);
		});

	applicationSuite(
		"Kafka and Postgres",
		() => application,
		() => ({ KAFKA: servers().KAFKA_BROKERS!, POSTGRES: postgres.url! })
	);
});
