// A service names in its contract the services whose actions it calls (`dependsOn`): a node loads those too, so that the call finds them.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { actions, contracts, dependenciesOf, type ServiceName, serviceNames, withDependencies } from "./contract.ts";

const TEST_CODE = /\.(test|suite|story|fixture|testing|check)\.ts$|\.simulation\.ts$/;
/** Loaded by every node. */
const everywhere = withDependencies([]);
const services: ServiceName[] = [...serviceNames, ...everywhere];

const sourcesOf = (service: ServiceName) =>
	readdirSync(join(import.meta.dirname, service), { recursive: true, encoding: "utf8" })
		.filter(path => path.endsWith(".ts") && !TEST_CODE.test(path))
		.map(path => ({ path: `services/${service}/${path}`, text: readFileSync(join(import.meta.dirname, service, path), "utf8") }));

const owners = new Map(
	services.flatMap(service => Object.keys(contracts[service].actions).map(action => [action, service] as const))
);
const ownerOf = (action: string) => owners.get(action)!;

/** The actions of other services that this service's sources name, with the file that does. */
const namedBy = (service: ServiceName) =>
	sourcesOf(service).flatMap(({ path, text }) =>
		[...text.matchAll(/(["'`])(\w+\.\w+)\1/g)].flatMap(([, , name = ""]) =>
			name in actions && ownerOf(name) !== service && !everywhere.includes(ownerOf(name)) ? [{ action: name, path }] : []
		)
	);

describe("services and the services that they call", () => {
	it("every called action exists", () => {
		for (const service of services)
			for (const { path, text } of sourcesOf(service))
				for (const [, name = ""] of text.matchAll(/\b(?:call|mcall)\(\s*["'`](\w+\.[\w.]+)["'`]/g))
					assert.ok(name in actions, `${path} calls ${name}, which no contract declares`);
	});

	it("dependsOn names every service whose actions are called", () => {
		for (const service of services)
			for (const { action, path } of namedBy(service))
				assert.ok(
					dependenciesOf(service).includes(ownerOf(action)),
					`${path} names the action ${action}: add "${ownerOf(action)}" to dependsOn in services/${service}/${service}.contract.ts`
				);
	});

	it("dependsOn names no service that is not called", () => {
		for (const service of services.filter(name => name !== "api" && name !== "socket"))
			for (const dependency of dependenciesOf(service))
				assert.ok(
					namedBy(service).some(({ action }) => ownerOf(action) === dependency),
					`services/${service}/${service}.contract.ts: dependsOn names "${dependency}", but no file there names one of its actions`
				);
	});

	it("no service calls itself through other services", () => {
		for (const service of services.filter(name => name !== "api" && name !== "socket"))
			assert.ok(
				!dependenciesOf(service).some(other => withDependencies([other]).includes(service)),
				`${service} depends on a service that depends on ${service}`
			);
	});
});

// Checked by tsc: the name of a service that does not exist does not compile.
export const misspelt = () =>
	// @ts-expect-error
	dependenciesOf("walet");
