/** What the npm package offers: the construct, and the plan that it takes. */
export { Freezeframe, type FreezeframeProps } from './freezeframe.ts';
export { type Plan, PlanError, parsePlan } from './plan.ts';
