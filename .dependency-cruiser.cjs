// Which part may import which: `npm run check` fails on the first import that crosses a border. Type imports count too.
// swc parses the sources, because dependency-cruiser cannot use TypeScript 7.

/** Code that only tests run. It may import anything. */
const TEST_CODE = String.raw`^(test|bench|demo|infra)/|\.(test|suite|story|fixture|simulation|check|testing)\.ts$|/testing\.ts$`;
const PACKAGES = "(^|/)node_modules/";

module.exports = {
	forbidden: [
		{
			name: "no-circles",
			comment: "Two files that import each other cannot be understood, tested or moved alone.",
			severity: "error",
			from: {},
			to: { circular: true }
		},
		{
			name: "mixins-import-nothing-of-the-project",
			comment: "The mixins are the package @plaza/mixins, which other applications install.",
			severity: "error",
			from: { path: "^mixins/", pathNot: TEST_CODE },
			to: { pathNot: ["^mixins/", PACKAGES], dependencyTypesNot: ["core"] }
		},
		{
			name: "contract-imports-only-mixins",
			comment: "The language of the contracts is below the services and the runtime: every contract imports it.",
			severity: "error",
			from: { path: "^contract/", pathNot: TEST_CODE },
			to: { pathNot: ["^(contract|mixins)/", PACKAGES], dependencyTypesNot: ["core"] }
		},
		{
			name: "services-import-contracts-of-other-services",
			comment: "A service may rely on what another one's contract declares, and on nothing else of it.",
			severity: "error",
			from: { path: "^services/([^/]+)/", pathNot: TEST_CODE },
			to: { path: "^services/[^/]+/", pathNot: ["^services/$1/", String.raw`\.contract\.ts$`] }
		},
		{
			name: "only-wiring-imports-drivers",
			comment: "A service is a function of its stores: only the file that Moleculer loads, or a command, chooses the drivers.",
			severity: "error",
			from: {
				path: "^(contract|mixins|services)/",
				pathNot: [TEST_CODE, String.raw`\.(service|command|create)\.ts$`]
			},
			to: { path: String.raw`^runtime/(drivers|config)\.ts$` }
		},
		{
			name: "no-test-code-in-production",
			comment: "The image has no test code.",
			severity: "error",
			from: { path: "^(contract|mixins|runtime|services)/", pathNot: TEST_CODE },
			to: { path: TEST_CODE }
		}
	],
	options: {
		parser: "swc",
		doNotFollow: { path: "node_modules" },
		enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
		exclude: { path: "^(data|mixins/dist|infra/\\.(cache|data))/" }
	}
};
