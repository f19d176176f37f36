"""What a report says of the test images, in each language."""

ENGLISH = {
    "untested": "The test accuracy is not measured yet, or not recorded here: no trial of this study was tested. `tuner train` "
    "measures it, once, and writes it here.",
    "tested": "Test accuracy of {trial}: {accuracy} on {images} test images. The test set was touched once, on {date}, for {trial}.",
    "tested_again": "Test accuracy of {trial}: {accuracy} on {images} test images. The test set was touched {times} times, last on {date} "
    "for {trial}; what was chosen after the first of them was chosen with a view of the test images.",
    "tested_all": "(It was trained on the validation part too.)",
    "tested_changed": "(Its configuration was changed since the search, for instance trained for longer or on more images.)",
}

KOREAN = {
    "untested": "테스트 정확도는 아직 재지 않았거나 여기에 기록되지 않았다. `tuner train` 명령이 한 번 재어 이곳에 기록한다.",
    "tested": "{trial}의 테스트 정확도: 테스트 이미지 {images}장에서 {accuracy}. 테스트 데이터는 단 한 번 사용했다({date}, {trial}).",
    "tested_again": "{trial}의 테스트 정확도: 테스트 이미지 {images}장에서 {accuracy}. 테스트 데이터는 {times}번 사용했고, 마지막은 "
    "{date}, {trial}이다. 첫 번째 이후의 선택은 테스트 이미지를 본 뒤의 선택이다.",
    "tested_all": "(검증 데이터까지 합쳐서 학습했다.)",
    "tested_changed": "(탐색 뒤에 설정을 바꾸어 학습했다. 예를 들면 더 오래, 또는 더 많은 이미지로.)",
}
