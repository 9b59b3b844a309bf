/** Preloaded by a program of lib/ (test/lib/app.test.ts): the apps that it does not make, in the process that loads the CDK anyway. */

import { contextWith } from '../../lab/assembly.ts';
import { freezeframeApp } from '../../lib/app.ts';
import { copyDestinationApp } from '../../lib/copy-destination-app.ts';
import { EVERY_OPTION } from './every-option.ts';

const { CDK_OUTDIR: outdir } = process.env;
freezeframeApp({ outdir: `${outdir}/every-option`, context: contextWith(EVERY_OPTION) }).synth();
copyDestinationApp({ outdir: `${outdir}/destination` }).synth();
