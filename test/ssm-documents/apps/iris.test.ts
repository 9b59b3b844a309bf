import { keepsItsWord } from './behaviour.ts';

keepsItsWord(
  {
    driver: 'iris',
    client: 'irissession',
    also: ['iris'],
    process: { comm: 'irisdb' },
    files: { 'data/iris.cpf': '[Databases]\nIRISSYS=WORLD/data/\n' },
  },
  {
    name: /^InterSystems IRIS 2024.* \(MAIN\)$/,
    stopsWrites: false,
    locks: true,
    problemWhenDown: /no instance that is up/,
  },
);
