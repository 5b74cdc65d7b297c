export default {
  input: '../../api/openapi.yaml',
  output: {path: 'out/heyapi-client', importFileExtension: '.js'},
  plugins: ['@hey-api/client-fetch'],
  logs: {file: false},
};
